// The drop zone of components/upload.html: shows how much of the file has gone, then puts the server's answer into the page.
// The answer polls its own batch by htmx. Without scripts the form posts as any other.

for (const form of document.querySelectorAll("form[data-upload]")) {
  const zone = form.querySelector(".drop");
  const input = form.querySelector("input[type=file]");
  const chosen = form.querySelector("[data-chosen]");
  const bar = form.querySelector("progress");
  const line = form.querySelector("[data-sent]");
  const result = document.getElementById(form.dataset.upload);

  const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
  const show = () => {
    chosen.textContent = [...input.files].map((file) => `${file.name}, ${size(file.size)}`).join("; ");
  };

  let depth = 0;
  zone.addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth += 1;
    zone.classList.add("over");
  });
  zone.addEventListener("dragover", (event) => event.preventDefault());
  zone.addEventListener("dragleave", () => {
    depth -= 1;
    if (depth <= 0) zone.classList.remove("over");
  });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    zone.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  input.addEventListener("change", show);

  form.addEventListener("submit", (event) => {
    if (!result) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    const button = event.submitter;
    const body = new FormData(form);
    if (button?.name) body.append(button.name, button.value);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.max = total;
      bar.value = loaded;
      line.textContent = `${size(loaded)} / ${size(total)}`;
    });
    request.addEventListener("loadend", () => {
      form.classList.remove("sending");
      form.removeAttribute("aria-busy");
      if (button) button.disabled = false;
      if (!request.status) {
        line.textContent = form.dataset.failed;
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const part = page.getElementById(form.dataset.upload) ?? page.querySelector("main") ?? page.body;
      result.replaceChildren(...part.childNodes);
      window.htmx?.process(result);
      result.dispatchEvent(new CustomEvent("htmx:after:swap", { bubbles: true }));
      result.scrollIntoView({ block: "nearest" });
    });
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    form.classList.add("sending");
    form.setAttribute("aria-busy", "true");
    if (button) button.disabled = true;
    request.send(body);
  });
}
