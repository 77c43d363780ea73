// What every page does: theme, menus, copying, the "Why this number" drawer, tabs, keys.

const root = document.documentElement;

function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage is switched off: the choice holds for this page.
  }
}

// Theme: the other one than what is seen now; remembered here unless it is the person's own, or else the system's.
for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  button.addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const usual = root.dataset.usualTheme ?? system;
    const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    remember("theme", next === usual ? null : next);
    if (next === usual && !root.dataset.usualTheme) delete root.dataset.theme;
  });
}
document.querySelector("#own form")?.addEventListener("submit", () => remember("theme", null));

// Menus close when something else is clicked, and by Escape, which gives the focus back.
const MENUS = "details.menu[open], details.filter[open]";
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(MENUS)) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll(MENUS)) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// The definition of a term shows while its link has the focus; Escape takes it away until the focus comes again.
document.addEventListener("keydown", (event) => {
  const term = document.activeElement;
  if (event.key !== "Escape" || !term?.matches("a.term:not([data-dismissed])")) return;
  event.preventDefault(); // a drawer around it stays
  term.dataset.dismissed = "";
  term.addEventListener("blur", () => delete term.dataset.dismissed, { once: true });
});

// Copy: a snippet's text, or this page's address.
// The address of the page as it is filtered, at the chart whose button it is.
function linkTo(button) {
  const chart = button.closest("[data-chart]")?.dataset.chart;
  return chart ? `${location.href.split("#")[0]}#${chart}-title` : location.href;
}

function copying(scope) {
  for (const button of scope.querySelectorAll("[data-copy], [data-copy-link]")) {
    if (!navigator.clipboard || !button.hidden) continue;
    button.hidden = false;
    const said = button.querySelector("[data-said]") ?? button;
    const before = said.textContent;
    button.addEventListener("click", async () => {
      const code = button.closest(".snippet")?.querySelector("code");
      await navigator.clipboard.writeText(code?.textContent ?? linkTo(button));
      said.textContent = button.dataset.done ?? "✓";
      announce(said.textContent);
      setTimeout(() => (said.textContent = before), 1600);
    });
  }
}

function announce(text) {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}

// Tabs over panels that, without scripts, simply stand below each other.
function tabs(scope) {
  for (const box of scope.querySelectorAll("[data-tabs]:not([data-ready])")) {
    const panels = [...box.children];
    const list = document.createElement("div");
    list.setAttribute("role", "tablist");
    list.className = "tab-list";
    const choose = (i, focus) => {
      panels.forEach((panel, j) => (panel.hidden = i !== j));
      [...list.children].forEach((tab, j) => {
        tab.setAttribute("aria-selected", i === j);
        tab.tabIndex = i === j ? 0 : -1;
      });
      if (focus) list.children[i].focus();
    };
    panels.forEach((panel, i) => {
      const tab = Object.assign(document.createElement("button"), { type: "button", textContent: panel.dataset.tab, id: `${box.id}-tab-${i}` });
      panel.id ||= `${box.id}-panel-${i}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      tab.addEventListener("click", () => choose(i));
      list.append(tab);
    });
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const at = [...list.children].indexOf(document.activeElement);
      choose((at + step + panels.length) % panels.length, true);
    });
    box.prepend(list);
    box.dataset.ready = "";
    choose(0);
  }
}

// Why this number: the same page as at its address, in a drawer over this one.
const drawer = document.getElementById("drawer");
async function explain(address) {
  const body = drawer.querySelector("[data-drawer-body]");
  body.replaceChildren(drawer.querySelector("template").content.cloneNode(true));
  if (!drawer.open) drawer.showModal();
  let main;
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    main = page.querySelector("[data-explanation]") ?? page.querySelector("main") ?? page.body;
  } catch {
    location.assign(address);
    return;
  }
  body.replaceChildren(...main.childNodes);
  const title = body.querySelector("h1");
  if (title) title.id = "drawer-title";
  body.querySelectorAll(".page-head .actions, .filters, footer").forEach((one) => one.remove());
  drawer.querySelector("[data-drawer-page]").href = address;
  prepare(body);
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/explain/'], a[data-drawer]");
  if (!drawer || !link || event.ctrlKey || event.metaKey || event.shiftKey || event.button || link.dataset.drawer === "off") return;
  event.preventDefault();
  explain(link.href);
});
drawer?.addEventListener("click", (event) => {
  if (event.target === drawer || event.target.closest("[data-close]")) drawer.close();
});

// Keys: one letter each, switched off in the list that "?" shows.
const GO = { o: "/", t: "/teams/", m: "/models/", r: "/requests/", u: "/runs/", p: "/providers/", a: "/actions/", c: "/planner/", d: "/disclosures/", s: "/sources/", q: "/quality/" };
const keys = document.getElementById("keys");
const off = keys?.querySelector("[data-keys-off]");
let waiting = 0;
if (off) {
  try {
    off.checked = localStorage.getItem("keys") === "off";
  } catch {
    // Storage is switched off: keys stay on.
  }
  off.addEventListener("change", () => remember("keys", off.checked ? "off" : null));
  keys.addEventListener("click", (event) => {
    if (event.target === keys || event.target.closest("[data-close]")) keys.close();
  });
  for (const one of document.querySelectorAll("[data-keys]")) {
    one.hidden = false;
    one.addEventListener("click", () => keys.showModal());
  }
}
const click = (selector) => () => document.querySelector(selector)?.click();
const KEYS = {
  "/": () => {
    const field = [...document.querySelectorAll("input[type=search]")].find((one) => one.checkVisibility());
    if (field) field.focus();
    else document.querySelector("#nav a[href='/search/']")?.click();
  },
  "?": () => keys?.showModal(),
  "[": click("[rel~=prev]"),
  "]": click("[rel~=next]"),
  b: click("[data-key=b]"),
  x: click("[data-key=x]"),
  f: () => {
    const menu = document.querySelector(".filter[data-filter]") ?? document.querySelector(".filter");
    if (!menu) return;
    menu.open = true;
    (menu.querySelector("div a, input, button") ?? menu.firstElementChild).focus();
  },
  e: () => {
    const figure = document.activeElement.closest("a.figure") ?? document.querySelector(".kpi a.figure");
    figure?.focus(); // where the drawer gives the focus back
    figure?.click();
  },
};
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || off?.checked) return;
  if (event.target.closest("input, select, textarea, [contenteditable], [role=listbox], dialog[open]")) return;
  if (Date.now() - waiting < 1500 && GO[event.key]) {
    waiting = 0;
    document.querySelector(`#nav a[href="${GO[event.key]}"]`)?.click();
  } else if (event.key === "g") {
    waiting = Date.now();
  } else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// A menu whose values have come gives the focus to their search, or to the link that was made.
document.addEventListener("htmx:after:swap", () => {
  const menu = document.querySelector("details.filter[open]");
  if (!menu || document.activeElement.matches("input")) return;
  const fields = menu.querySelectorAll("[data-values] input[type=search], [data-values] [readonly]");
  [...fields].findLast((one) => one.checkVisibility())?.focus();
});

function prepare(scope) {
  copying(scope);
  tabs(scope);
  window.htmx?.process(scope);
}
copying(document);
tabs(document);
document.addEventListener("htmx:after:swap", (event) => prepare(event.target));
