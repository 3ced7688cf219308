// Only makes the pages nicer: each works the same without it.
'use strict';

// A form that failed comes back empty, as no address holds what was typed. This tab keeps it until the next page.
const TYPED = 'device-pages.typed';
let typed = {};
try {
  typed = JSON.parse(sessionStorage.getItem(TYPED)) || {};
  sessionStorage.removeItem(TYPED);
} catch {
  // Storage is switched off.
}
document.querySelectorAll('[data-keep]').forEach((field) => {
  const value = field.type === 'checkbox' ? 'checked' : 'value';
  if (field.dataset.keep === 'again' && field.name in typed) {
    field[value] = typed[field.name];
    const next = field.dataset.then && document.getElementById(field.dataset.then);
    // In the next frame, as the browser has done its own focusing by then.
    if (next) requestAnimationFrame(() => next.focus());
  }
  field.form.addEventListener('submit', () => {
    typed[field.name] = field[value];
    try {
      sessionStorage.setItem(TYPED, JSON.stringify(typed));
    } catch {
      // Storage is switched off.
    }
  });
});

// Code entry: upper case, with its hyphen, whether typed or pasted. Deleting and editing in the middle are left alone.
document.querySelectorAll('[data-code-entry]').forEach((field) => {
  const arrange = () => {
    if (field.selectionStart !== field.value.length) return;
    // Input methods may write letters in full width. Of what no code has, only marks are dropped: letters are shown as wrong.
    const text = field.value.normalize('NFKC').toUpperCase();
    const symbols = text.replace(/[^\p{L}\p{N}]/gu, '');
    if (symbols.length > 8) {
      field.value = text;
    } else {
      field.value = symbols.length < 4 ? symbols : symbols.slice(0, 4) + '-' + symbols.slice(4);
    }
  };
  field.addEventListener('input', (event) => {
    if (!event.isComposing && !(event.inputType || '').startsWith('delete')) arrange();
  });
  field.addEventListener('compositionend', arrange);
  if (field.getAttribute('aria-invalid') === 'true') requestAnimationFrame(() => field.select());
});

// A paste may hold more than the code: a whole line of the terminal, or the link.
document.querySelectorAll('[data-code-entry]').forEach((field) => {
  field.addEventListener('paste', (event) => {
    const text = event.clipboardData ? event.clipboardData.getData('text').normalize('NFKC') : '';
    const code = /(?:^|[^A-Z0-9])([3-9A-HJ-NP-Y]{4})[-\u2010-\u2015]([3-9A-HJ-NP-Y]{4})(?![A-Z0-9])/i.exec(text);
    if (!code) return;
    event.preventDefault();
    field.value = (code[1] + '-' + code[2]).toUpperCase();
  });
});

// The countdown: the server said how many seconds are left when it wrote the page. The last minute is said aloud once; at
// the end the question gives way to what to do next, which has the focus then.
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
    const over = document.querySelector('[data-countdown-over]');
    const heading = document.querySelector('h1');
    document.title = document.title.replace(heading.textContent, over.dataset.countdownOver);
    heading.textContent = over.dataset.countdownOver;
    document.querySelector('[data-countdown-until]').hidden = true;
    over.hidden = false;
    over.focus();
  };
  const timer = setInterval(tick, 1000);
  tick();
});
