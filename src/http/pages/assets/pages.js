// Only makes the pages nicer: each works the same without it.
'use strict';

// Code entry: upper case, with its hyphen, whether typed or pasted. Deleting and editing in the middle are left alone.
document.querySelectorAll('[data-code-entry]').forEach((field) => {
  field.addEventListener('input', (event) => {
    if (event.isComposing || (event.inputType || '').startsWith('delete')) return;
    if (field.selectionStart !== field.value.length) return;
    const symbols = field.value.toUpperCase().replace(/[^A-Z0-9]/g, '');
    if (symbols.length > 8) {
      field.value = field.value.toUpperCase();
    } else {
      field.value = symbols.length < 4 ? symbols : symbols.slice(0, 4) + '-' + symbols.slice(4);
    }
  });
});

// The countdown: the server said how many seconds are left when it wrote the page.
document.querySelectorAll('[data-countdown]').forEach((line) => {
  const end = Date.now() + Number(line.dataset.countdown) * 1000;
  const over = document.querySelector('[data-countdown-over]');
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const clock = Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
    line.textContent = line.dataset.text.replace('{}', clock);
    if (left > 0) return;
    clearInterval(timer);
    line.hidden = true;
    over.hidden = false;
    over.textContent = over.dataset.countdownOver;
  };
  const timer = setInterval(tick, 1000);
  tick();
});
