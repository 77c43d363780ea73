// Send a test record: the calls that the copied lines make, from this page.

const button = document.querySelector("[data-send-test]");
const said = document.querySelector("[data-test-answer]");

async function send({ token, calls }) {
  const taken = {};
  const filled = (text) => text.replace(/\{(\w+)\}/g, (all, name) => taken[name] ?? all);
  let answer;
  for (const call of calls) {
    answer = await fetch(filled(call.path), {
      method: "POST",
      credentials: "omit",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...call.headers },
      body: filled(JSON.stringify(call.body)),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${text}`);
    if (call.takes) taken[call.takes] = JSON.parse(text)[call.takes];
  }
  return answer.status;
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const status = await send(JSON.parse(document.getElementById(button.dataset.sendTest).textContent));
      said.textContent = `${button.dataset.sent} (${status})`;
    } catch (error) {
      said.textContent = `${button.dataset.failed}: ${error.message}`;
      button.disabled = false;
    }
  });
}
