// Conveniences only: every page works without this file. It listens on the document, so that what htmx puts in
// afterwards works too.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const say = (text) => {
    const status = document.getElementById("status");
    if (status) status.textContent = text;
  };

  // --- Copying ---------------------------------------------------------------------------------------------------
  const write = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr-only";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("not copied");
  };
  const copied = (button) => {
    const words = document.body.dataset.copied || "Copied";
    const label = button.querySelector("span");
    button.classList.add("is-copied");
    if (label) {
      button.dataset.words ||= label.textContent;
      label.textContent = words;
    }
    say(words);
    clearTimeout(button.latchkeyTimer);
    button.latchkeyTimer = setTimeout(() => {
      button.classList.remove("is-copied");
      if (label) label.textContent = button.dataset.words;
      say("");
    }, 2000);
  };
  const textOf = (button) => {
    if (button.dataset.copyFrom) return document.getElementById(button.dataset.copyFrom)?.textContent.trim();
    if ("copyCode" in button.dataset) return button.closest(".code")?.querySelector("code")?.textContent;
    return button.dataset.copy;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from], [data-copy-code]");
    if (!button) return;
    const text = textOf(button);
    if (text === undefined || text === null) return;
    try {
      await write(text);
      copied(button);
    } catch {
      const value = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
      if (value) getSelection().selectAllChildren(value);
    }
  });

  // --- Dialogs and menus -----------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog instanceof HTMLDialogElement && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
      event.preventDefault();
      dialog.showModal();
      dialog.querySelector(".dialog-body :is(input, select, textarea):not([type=hidden])")?.focus();
      return;
    }
    if (event.target instanceof HTMLDialogElement) event.target.close();
    const closer = event.target.closest("[data-close]");
    if (closer) {
      const open = closer.closest("dialog");
      if (open) {
        event.preventDefault();
        open.close();
      }
    }
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });

  // --- Times -----------------------------------------------------------------------------------------------------
  // In the page's language; if the browser's own is a kind of it (en-GB), as that writes dates. On a company's pages in
  // the company's time zone, elsewhere in the reader's own.
  const language = navigator.languages.find((each) => each.split("-")[0] === root.lang) || root.lang || undefined;
  const formatter = (options, zone = root.dataset.zone) => {
    try {
      return new Intl.DateTimeFormat(language, { ...options, timeZone: zone });
    } catch {
      return new Intl.DateTimeFormat(language, options);
    }
  };
  const exact = formatter({ year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short" });
  const day = formatter({ year: "numeric", month: "short", day: "numeric" });
  // Of a moment whose day stands above it: in the zone that the server counted the days in.
  const clock = formatter({ timeStyle: "short" }, root.dataset.zone || "UTC");
  const two = (number) => String(number).padStart(2, "0");
  const remaining = (seconds) => {
    const days = Math.floor(seconds / 86400);
    const rest = `${two(Math.floor((seconds % 86400) / 3600))}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
    return days ? `${days} ${document.body.dataset.days || "d"} ${rest}` : rest;
  };
  const localise = (scope) => {
    for (const time of scope.querySelectorAll("time[data-time]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.valueOf())) continue;
      time.title = exact.format(moment);
      if (time.dataset.time === "exact") time.textContent = exact.format(moment);
      if (time.dataset.time === "date") time.textContent = day.format(moment);
      if (time.dataset.time === "time") time.textContent = clock.format(moment);
    }
  };
  const count = () => {
    for (const time of document.querySelectorAll("time[data-countdown]")) {
      const seconds = Math.round((new Date(time.dateTime) - Date.now()) / 1000);
      const words = seconds > 0 ? remaining(seconds) : time.dataset.ended;
      if (time.textContent !== words) time.textContent = words;
    }
  };
  setInterval(count, 1000);

  // --- Forms -----------------------------------------------------------------------------------------------------
  // How hard a password is to guess, roughly: the server decides, this only encourages.
  const strength = (text) => {
    if (!text) return 0;
    const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(text)).length;
    const different = new Set(text).size;
    if (text.length < 10 || different < 5) return 1;
    const bits = Math.min(text.length, different * 1.6) * Math.log2(10 + 18 * kinds);
    return bits < 60 ? 2 : bits < 80 ? 3 : 4;
  };
  const brands = [
    ["visa", "Visa", /^4/],
    ["mastercard", "Mastercard", /^(5[1-5]|2(2[2-9]|[3-6]|7[01]|720))/],
    ["amex", "American Express", /^3[47]/],
    ["discover", "Discover", /^(6011|64[4-9]|65)/],
    ["diners", "Diners Club", /^3(0[0-5]|[689])/],
    ["jcb", "JCB", /^35/],
  ];
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLElement)) return;
    if (input.dataset.strength) {
      const meter = document.getElementById(input.dataset.strength);
      if (meter) meter.dataset.level = strength(input.value);
    }
    if (input.dataset.cardNumber !== undefined) {
      const digits = input.value.replace(/\D/g, "").slice(0, 19);
      const amex = /^3[47]/.test(digits);
      if (input.selectionStart === input.value.length) {
        const groups = amex ? [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10)] : digits.match(/.{1,4}/g) || [];
        input.value = groups.filter(Boolean).join(" ");
      }
      const found = brands.find((brand) => brand[2].test(digits));
      const target = document.getElementById(input.dataset.cardNumber);
      if (target) {
        target.textContent = found ? found[1] : "";
        target.dataset.brand = found ? found[0] : "";
      }
    }
    if ("cardExpiry" in input.dataset && event.inputType !== "deleteContentBackward") {
      const digits = input.value.replace(/\D/g, "").slice(0, 4);
      input.value = digits.length >= 2 ? `${digits.slice(0, 2)}/${digits.slice(2)}` : digits;
    }
    if (input.dataset.filter) {
      const wanted = input.value.trim().toLowerCase();
      for (const item of document.querySelectorAll(`${input.dataset.filter} > *`)) {
        item.hidden = !item.textContent.toLowerCase().includes(wanted);
      }
    }
  });
  // Buttons that fill fields: data-fill='{"number": "4242 …"}' names inputs of the same form or of the page.
  document.addEventListener("click", (event) => {
    const filler = event.target.closest("[data-fill]");
    if (!filler) return;
    for (const [name, value] of Object.entries(JSON.parse(filler.dataset.fill))) {
      const input = document.querySelector(`[name="${CSS.escape(name)}"]`);
      if (!input) continue;
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  // A second click on a button must not send a form twice. The server holds too; this saves the surprise.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("data-download")) return;
    if (form.classList.contains("is-busy")) event.preventDefault();
    form.classList.add("is-busy");
  });
  addEventListener("pageshow", () => document.querySelectorAll(".is-busy").forEach((form) => form.classList.remove("is-busy")));
  // A button that was off while its answer was awaited has lost the focus.
  let pressed = null;
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.elt.contains(document.activeElement)) pressed = document.activeElement;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    event.target.classList?.remove("is-busy");
    if (event.target.contains(pressed) && document.activeElement === document.body) pressed.focus();
  });
  const asksForItself = (part) => Boolean(part.getAttribute("hx-trigger")?.startsWith("every"));
  const stop = (part) => {
    const last = part.cloneNode(true); // htmx asks no more for what has left the page
    for (const name of ["hx-get", "hx-trigger", "hx-swap"]) last.removeAttribute(name);
    const said = Object.assign(document.createElement("p"), { className: "muted small" });
    (last.querySelector(".waiting") || last.appendChild(said)).textContent = document.body.dataset.stopped;
    part.replaceWith(last);
  };
  const note = (target, name) => {
    const words = document.querySelector(`template[data-note="${name}"]`)?.content.cloneNode(true);
    if (words) target.replaceChildren(words);
    return Boolean(words);
  };
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, target, requestConfig } = event.detail;
    const elsewhere = xhr.getResponseHeader("HX-Redirect"); // to the sign-in: htmx takes the whole window there
    if (asksForItself(requestConfig.elt)) {
      // Such a part stops once it is told that it is not for this person (any more): removed, or signed out. Nobody
      // asked to leave the page.
      if (!elsewhere && xhr.status !== 403 && xhr.status !== 404) return;
      event.preventDefault();
      stop(requestConfig.elt);
    } else if (elsewhere && note(target, "leave")) {
      // What is shown this once would be lost with the page: its person leaves when they have kept it.
      event.preventDefault();
      target.querySelector("a").href = elsewhere;
    }
  });
  for (const [event, name] of [["htmx:responseError", "failed"], ["htmx:sendError", "away"], ["htmx:timeout", "away"]]) {
    document.addEventListener(event, ({ detail }) => {
      if (!asksForItself(detail.requestConfig.elt)) note(detail.target, name);
    });
  }
  // Parts that belong to one choice of a group of radio buttons or of a list: data-when="name=value".
  const choose = (name) => {
    for (const part of document.querySelectorAll(`[data-when^="${CSS.escape(name)}="]`)) {
      const chosen = document.querySelector(`[name="${CSS.escape(name)}"]:checked, select[name="${CSS.escape(name)}"]`);
      part.hidden = Boolean(chosen) && part.dataset.when !== `${name}=${chosen.value}`;
    }
  };
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type === "radio" || input instanceof HTMLSelectElement) choose(input.name);
    if (input.matches?.("select[data-submit]")) input.form.requestSubmit();
    if (input.dataset?.checkAll) {
      for (const box of document.querySelectorAll(input.dataset.checkAll)) if (!box.disabled) box.checked = input.checked;
    }
    if (input.matches?.(".tab-radio") && !input.form) {
      try {
        localStorage.setItem(input.name, input.value);
      } catch {
        return; // storage is off: the choice lasts for this page
      }
    }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-form] button");
    if (!button) return;
    if (button.value === "system") delete root.dataset.theme;
    else root.dataset.theme = button.value;
  });

  // --- What must be prepared, also for parts that arrive later ------------------------------------------------------
  const prepare = (scope) => {
    for (const button of scope.querySelectorAll("[data-copy], [data-copy-from], [data-copy-code]")) button.hidden = false;
    for (const radio of scope.querySelectorAll(".tab-radio")) {
      if (radio.form) continue; // what a form sends begins as the form says, whatever was chosen in another one
      try {
        if (localStorage.getItem(radio.name) === radio.value) radio.checked = true;
      } catch {
        break;
      }
    }
    for (const part of scope.querySelectorAll("[data-when]")) choose(part.dataset.when.split("=")[0]);
    localise(scope);
    count();
    for (const dialog of scope.querySelectorAll("dialog[data-open]")) dialog.showModal();
    for (const input of scope.querySelectorAll("[data-card-number], [data-strength]")) {
      if (input.value) input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  // allauth says on the console only that a passkey was refused or its window closed.
  document.addEventListener("allauth.error", () => {
    const words = document.getElementById("passkey-error");
    if (words) words.hidden = false;
  });
  if (document.querySelector("[data-swagger]")) {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.classList.toggle("dark-mode", dark);
  }
  prepare(document);
  // A form that came back: whoever types goes on where something is wrong.
  if (document.activeElement === document.body) {
    const bad = document.querySelector(".field-bad");
    const chosen = bad?.querySelector("input[type=radio]:checked");
    const inputs = "input:not([type=hidden]), select, textarea";
    (chosen || bad?.querySelector(inputs))?.focus();
    // Nothing that was typed is wrong by itself, as at a refused sign-in: to what has to be typed again.
    const trouble = bad ? null : document.querySelector("form > .alert-danger[role=alert]");
    const again = trouble && [...trouble.parentElement.querySelectorAll(inputs)].find((input) => !input.value);
    if (again) {
      trouble.id ||= "form-trouble";
      again.setAttribute("aria-describedby", [again.getAttribute("aria-describedby"), trouble.id].filter(Boolean).join(" "));
      again.focus();
    }
  }
  document.addEventListener("htmx:load", (event) => prepare(event.target));
})();
