// What every page does: theme, copy buttons, drawer, drop zones, keys. Without it all of this is still reachable.
const root = document.documentElement;

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

document.addEventListener("click", async (event) => {
  const toggle = event.target.closest("[data-theme-toggle]");
  if (toggle) {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    document.dispatchEvent(new Event("themechange"));
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.closest(".snippet").querySelector("code").textContent);
    const words = copy.textContent;
    copy.textContent = "✓";
    setTimeout(() => { copy.textContent = words; }, 1500);
  }
  const drawer = document.getElementById("drawer");
  if (event.target === drawer || event.target.closest("[data-close]")) drawer.close();
  for (const open of document.querySelectorAll(".filter[open], .menu[open]")) {
    if (!open.contains(event.target)) open.removeAttribute("open");
  }
  const link = event.target.closest("a.figure, a[data-drawer]");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    await openDrawer(link);
  }
});

async function openDrawer(link) {
  const drawer = document.getElementById("drawer");
  let answer;
  try {
    answer = await fetch(link.href, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
  } catch {
    answer = null;
  }
  if (!answer || !answer.ok || answer.redirected) {
    location.href = link.href;
    return;
  }
  drawer.innerHTML = await answer.text();
  drawer.showModal();
  ready(drawer);
}

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".filter, .menu") && event.target.open) {
    for (const other of document.querySelectorAll(".filter[open], .menu[open]")) {
      if (other !== event.target) other.removeAttribute("open");
    }
  }
}, true);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll(".filter[open], .menu[open]")) {
      open.removeAttribute("open");
      open.querySelector("summary").focus();
    }
  }
});

function ready(part) {
  for (const button of part.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const zone of part.querySelectorAll(".drop")) dropZone(zone);
}

function dropZone(zone) {
  const input = zone.querySelector("input[type=file]");
  const list = zone.querySelector("[data-chosen]");
  const show = () => { if (list) list.textContent = [...input.files].map((file) => file.name).join(", "); };
  input.addEventListener("change", show);
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    input.files = event.dataTransfer.files;
    show();
  });
}

ready(document);
