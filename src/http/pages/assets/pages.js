// Conveniences; every page works without them.
'use strict';

// A rejected form is empty, because no address holds typed text. The tab keeps the text for one page.
const STORAGE_KEY = 'device-pages.typed';
let typed = {};
try {
  typed = JSON.parse(sessionStorage.getItem(STORAGE_KEY)) || {};
  sessionStorage.removeItem(STORAGE_KEY);
} catch {
  // Storage is disabled.
}
document.querySelectorAll('[data-keep]').forEach((field) => {
  const value = field.type === 'checkbox' ? 'checked' : 'value';
  if (field.dataset.keep === 'again' && field.name in typed) {
    field[value] = typed[field.name];
    const next = field.dataset.then && document.getElementById(field.dataset.then);
    // In the next frame, after the browser has applied `autofocus`.
    if (next) requestAnimationFrame(() => next.focus());
  }
  field.form.addEventListener('submit', () => {
    typed[field.name] = field[value];
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify(typed));
    } catch {
      // Storage is disabled.
    }
  });
});

// Formats a typed code: upper case with a hyphen. Deleting, and editing in the middle, change nothing else.
document.querySelectorAll('[data-code-entry]').forEach((field) => {
  const format = () => {
    if (field.selectionStart !== field.value.length) return;
    // Input methods may insert full-width letters. Punctuation is dropped; letters outside the alphabet stay visible.
    const text = field.value.normalize('NFKC').toUpperCase();
    const symbols = text.replace(/[^\p{L}\p{N}]/gu, '');
    if (symbols.length > 8) {
      field.value = text;
    } else {
      field.value = symbols.length < 4 ? symbols : symbols.slice(0, 4) + '-' + symbols.slice(4);
    }
  };
  field.addEventListener('input', (event) => {
    if (!event.isComposing && !(event.inputType || '').startsWith('delete')) format();
  });
  field.addEventListener('compositionend', format);
  if (field.getAttribute('aria-invalid') === 'true') {
    requestAnimationFrame(() => field.select());
  } else if (field.value) {
    // A filled field is continued at its end; `autofocus` would put the cursor at its start.
    requestAnimationFrame(() => {
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    });
  }
});

// Extracts the code from pasted text, which may be a line of the terminal or a link.
document.querySelectorAll('[data-code-entry]').forEach((field) => {
  field.addEventListener('paste', (event) => {
    const text = event.clipboardData ? event.clipboardData.getData('text').normalize('NFKC') : '';
    const code = /(?:^|[^A-Z0-9])([3-9A-HJ-NP-Y]{4})[-\u2010-\u2015]([3-9A-HJ-NP-Y]{4})(?![A-Z0-9])/i.exec(text);
    if (!code) return;
    event.preventDefault();
    field.value = (code[1] + '-' + code[2]).toUpperCase();
  });
});

// Submits a form that needs no input, but not again within ten seconds, so that no two pages redirect to each other.
document.querySelectorAll('[data-submit-once]').forEach((form) => {
  const SUBMITTED = 'device-pages.submitted';
  try {
    const recent = Date.now() - Number(sessionStorage.getItem(SUBMITTED)) < 10_000;
    sessionStorage.setItem(SUBMITTED, String(Date.now()));
    if (!recent) form.submit();
  } catch {
    // Storage is disabled.
  }
});

// Counts down from the remaining seconds in the page. The last minute is announced to screen readers once; at the end
// the form is replaced by the next step, which gets the focus.
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

// Shows times in the time zone of the reader, and recent ones relative to now. Without scripts they are in UTC.
document.querySelectorAll('time[datetime]').forEach((time) => {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const language = document.documentElement.lang;
  const local = new Intl.DateTimeFormat(language, {
    year: 'numeric', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short',
  }).format(at);
  const minutes = Math.round((at - Date.now()) / 60_000);
  if ('relative' in time.dataset && minutes <= 0 && minutes > -7 * 24 * 60) {
    const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
    const [size, unit] = minutes > -60 ? [1, 'minute'] : minutes > -24 * 60 ? [60, 'hour'] : [24 * 60, 'day'];
    time.textContent = relative.format(Math.round(minutes / size), unit);
    time.title = local;
  } else {
    time.title = time.textContent;
    time.textContent = local;
  }
});

// Shows the password while the box is ticked.
document.querySelectorAll('[data-show-password]').forEach((line) => {
  const field = document.getElementById(line.dataset.showPassword);
  const box = line.querySelector('input');
  line.hidden = false;
  box.addEventListener('change', () => {
    field.type = box.checked ? 'text' : 'password';
  });
  // A browser saves the password of a password field only.
  field.form.addEventListener('submit', () => {
    field.type = 'password';
  });
});

// Copies the redirect URI; without scripts the button stays hidden.
document.querySelectorAll('[data-copy]').forEach((button) => {
  if (!navigator.clipboard) return;
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(field.value);
    button.textContent = field.dataset.copied;
  });
});

// Reports a finished authorization to the page that opened this window.
if (document.querySelector('[data-oauth-callback]') && window.opener) {
  window.opener.postMessage({ type: 'oauth_callback' }, location.origin);
  window.close();
}
