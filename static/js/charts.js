// Draws every chart of the page over its server-made picture: Plotly, in the colours of the theme, with an HTML legend.
const FONT = '"Source Sans 3"';

function property(name) {
  const probe = document.createElement("canvas").getContext("2d");
  const holder = document.createElement("i");
  holder.hidden = true;
  document.body.append(holder);
  holder.style.setProperty("color", `var(--${name})`);
  probe.fillStyle = getComputedStyle(holder).color;
  holder.remove();
  return probe.fillStyle;
}

function themed(figure) {
  const copy = structuredClone(figure);
  for (const trace of copy.data) {
    const name = trace.meta?.token;
    if (!name) continue;
    const colour = property(name);
    if (trace.line) trace.line.color = colour;
    if (trace.marker) {
      if (trace.meta.key !== "gap") trace.marker.color = colour;
      if (trace.marker.line) trace.marker.line.color = property("ground");
      if (trace.marker.pattern) trace.marker.pattern.fgcolor = trace.meta.key === "gap" ? property("control") : property("ground");
    }
  }
  const layout = copy.layout;
  layout.font.color = property("muted");
  Object.assign(layout.hoverlabel, { bgcolor: property("ground"), bordercolor: property("control") });
  layout.hoverlabel.font.color = property("text");
  for (const axis of [layout.xaxis, layout.yaxis]) {
    if (!axis) continue;
    if (axis.gridcolor) axis.gridcolor = property("hairline");
    if (axis.zerolinecolor) axis.zerolinecolor = property("control");
    if (axis.linecolor) axis.linecolor = property("control");
  }
  for (const note of layout.annotations ?? []) note.font.color = property("text");
  return copy;
}

async function draw(card) {
  const name = card.dataset.chart;
  const figure = JSON.parse(document.getElementById(`${name}-figure`).textContent);
  const place = card.querySelector(".plot-live");
  const { data, layout } = themed(figure);
  const hidden = new Set([...card.querySelectorAll("[data-series][aria-pressed=false]")].map((one) => one.dataset.series));
  for (const trace of data) trace.visible = !hidden.has(trace.meta?.key);
  await window.Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
  card.classList.add("drawn");
  if (!card.dataset.ready) prepare(card, place);
}

function prepare(card, place) {
  card.dataset.ready = "yes";
  place.on("plotly_click", (event) => {
    const address = event.points.map((point) => point.customdata?.[1]).find(Boolean);
    if (address) location.href = address;
  });
  const png = card.querySelector("[data-png]");
  png.hidden = false;
  png.addEventListener("click", () => picture(card, place));
  const entries = [...card.querySelectorAll("[data-series]")];
  for (const entry of entries) {
    entry.addEventListener("click", (event) => {
      const shown = entries.filter((one) => one.getAttribute("aria-pressed") === "true");
      const only = shown.length === 1 && shown[0] === entry;
      for (const one of entries) {
        const on = event.shiftKey
          ? (one === entry) !== (one.getAttribute("aria-pressed") === "true")
          : only || one === entry;
        one.setAttribute("aria-pressed", String(on));
      }
      draw(card);
    });
  }
}

async function picture(card, place) {
  const title = card.querySelector("h2").textContent;
  const sub = card.querySelector(".sub").textContent;
  const { data, layout } = themed(JSON.parse(document.getElementById(`${card.dataset.chart}-figure`).textContent));
  layout.title = { text: `<b>${title}</b><br>${sub} · ${document.title}`, x: 0.02, font: { size: 14, color: property("text") } };
  layout.margin.t = 70;
  layout.showlegend = true;
  layout.legend = { orientation: "h", y: -0.15 };
  layout.margin.b = 70;
  layout.paper_bgcolor = property("ground");
  const address = await window.Plotly.toImage({ data, layout }, { format: "png", width: 1000, height: 460, scale: 2 });
  const link = document.createElement("a");
  link.href = address;
  link.download = `${card.dataset.chart}.png`;
  link.click();
}

async function drawAll() {
  await document.fonts.load(`13px ${FONT}`);
  await Promise.all([...document.querySelectorAll("[data-chart]")].map(draw));
}

document.addEventListener("themechange", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
if (window.Plotly) drawAll();
else addEventListener("load", drawAll);
