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

// A paste may hold more than the code: a whole line of the terminal, or the link.
document.querySelectorAll('[data-code-entry]').forEach((field) => {
  field.addEventListener('paste', (event) => {
    const text = event.clipboardData ? event.clipboardData.getData('text') : '';
    const code = /(?:^|[^A-Z0-9])([3-9A-HJ-NP-Y]{4})[-\u2010-\u2015]([3-9A-HJ-NP-Y]{4})(?![A-Z0-9])/i.exec(text);
    if (!code) return;
    event.preventDefault();
    field.value = (code[1] + '-' + code[2]).toUpperCase();
  });
});

// The countdown: the server said how many seconds are left when it wrote the page. The last minute is said aloud once; at
// the end the form gives way to what to do next.
document.querySelectorAll('[data-countdown]').forEach((line) => {
  const end = Date.now() + Number(line.dataset.countdown) * 1000;
  const soon = document.querySelector('[data-countdown-soon]');
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const clock = Math.floor(left / 60) + ':' + String(left % 60).padStart(2, '0');
    line.textContent = line.dataset.text.replace('{}', clock);
    if (left <= 60 && !line.classList.contains('soon')) {
      line.classList.add('soon');
      soon.textContent = line.textContent;
    }
    if (left > 0) return;
    clearInterval(timer);
    document.querySelector('[data-countdown-until]').hidden = true;
    document.querySelector('[data-countdown-over]').hidden = false;
  };
  const timer = setInterval(tick, 1000);
  tick();
});
