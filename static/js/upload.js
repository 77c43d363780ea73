// The drop zone of components/upload.html: files can be dropped on it, it says what was chosen and how much of it has gone.
// A refused or previewed upload shows the answer in place; an accepted one leads to its batch. Without scripts the form posts
// as any other.

function ready(form) {
  const zone = form.querySelector(".drop");
  const input = form.querySelector("input[type=file]");
  const chosen = form.querySelector("[data-chosen]");
  const bar = form.querySelector("progress");
  const line = form.querySelector("[data-sent]");

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
    show();
  });
  input.addEventListener("change", show);
  show();

  form.addEventListener("submit", (event) => {
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
      form.removeAttribute("aria-busy");
      if (button) button.disabled = false;
      if (!request.status || request.status >= 500) {
        line.textContent = form.dataset.failed;
        return;
      }
      form.classList.remove("sending");
      const answer = new DOMParser().parseFromString(request.responseText, "text/html").querySelector("main");
      if (!answer || request.responseURL !== form.action.split("#")[0]) {
        location.assign(request.responseURL); // accepted: the batch's own page
        return;
      }
      // Refused, or to be looked at first: the answer's page, but what was chosen stays chosen.
      answer.querySelector("form[data-upload] input[type=file]")?.replaceWith(input);
      document.querySelector("main").replaceWith(answer);
      readyAll();
      (answer.querySelector(".errors, [role=alert]") ?? answer).scrollIntoView({ block: "nearest" });
    });
    request.open("POST", form.action);
    form.classList.add("sending");
    form.setAttribute("aria-busy", "true");
    if (button) button.disabled = true;
    request.send(body);
  });
}

function readyAll() {
  for (const form of document.querySelectorAll("form[data-upload]")) ready(form);
}

readyAll();
