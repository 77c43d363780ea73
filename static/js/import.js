// The upload form: files can be dropped on it, and what was chosen is said. Works without: the input is a plain one.
for (const form of document.querySelectorAll("form[data-drop]")) {
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector("[data-drop-zone]");
  const chosen = form.querySelector("[data-chosen]");
  const say = () => {
    const files = [...input.files];
    chosen.textContent = files.map((file) => `${file.name} (${Math.max(1, Math.round(file.size / 1024))} kB)`).join(", ");
  };
  input.addEventListener("change", say);
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      say();
    }
  });
}
