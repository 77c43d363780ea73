// Draws every chart of a page: [data-chart] cards made by components/chart.html. The figure comes as JSON beside the card,
// in the light theme's colours; "meta" names the colour tokens, read from the style sheet for the theme in force.

const TEXT = ["400 13px 'Source Sans 3'", "620 13px 'Source Sans 3'"];
const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: false };
const drawn = new WeakSet();
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;

function colour(token) {
  probe.style.color = `var(--${token})`;
  return getComputedStyle(probe).color;
}

// Names come from outside: Plotly reads markup in texts, so none of theirs reaches it as such.
const plainly = (value) => (Array.isArray(value) ? value.map(plainly) : typeof value === "string" ? value.replaceAll("<", "&lt;").replaceAll("CO2e", "CO\u2082e") : value);

function themed(figure) {
  const { data, layout } = structuredClone(figure);
  const [text, muted, ground, hairline, control] = ["text", "muted", "ground", "hairline", "control"].map(colour);
  for (const trace of data) {
    const { token, tokens, scale, key } = trace.meta ?? {};
    const hue = tokens ? tokens.map(colour) : token && colour(token);
    for (const part of ["name", "text", "customdata"]) if (trace[part]) trace[part] = plainly(trace[part]);
    if (scale) trace.colorscale = trace.colorscale.map(([place], i) => [place, colour(scale[i >> 1])]);
    if (trace.marker && key !== "gap") {
      trace.marker.color = hue;
      if (trace.error_y) trace.error_y.color = hue;
      if (trace.marker.line) trace.marker.line.color = /open/.test(trace.marker.symbol) ? hue : ground;
      if (trace.marker.pattern) trace.marker.pattern.fgcolor = ground;
    }
    if (key === "gap") trace.marker.pattern.fgcolor = control;
    if (trace.line) trace.line.color = hue;
    if (trace.error_x) trace.error_x.color = text;
    if (trace.textfont || trace.text) trace.textfont = { ...trace.textfont, color: trace.textfont ? text : muted };
  }
  layout.font.color = muted;
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: ground, bordercolor: control, font: { ...layout.hoverlabel.font, color: text } };
  for (const axis of axes(layout)) {
    Object.assign(axis, { gridcolor: hairline, zerolinecolor: control, linecolor: control });
    if (axis.ticks) axis.tickcolor = control;
    if (axis.title) axis.title.text = plainly(axis.title.text);
    if (axis.tickfont) axis.tickfont.color = text;
    if (axis.ticktext) axis.ticktext = plainly(axis.ticktext);
  }
  for (const note of layout.annotations ?? []) {
    note.text = plainly(note.text);
    note.font = { ...note.font, color: note.font?.color ? text : muted };
  }
  for (const shape of layout.shapes ?? []) shape.line.color = muted;
  return { data, layout };
}

function axes(layout, letter = "[xy]") {
  return Object.keys(layout).filter((key) => RegExp(`^${letter}axis`).test(key)).map((key) => layout[key]);
}

// Rows of names, at 0, 1, 2 ... or as categories: their labels take a part of the picture.
const byRows = (layout) => layout.yaxis?.type === "category" || layout.yaxis?.range?.[0] > layout.yaxis?.range?.[1];

// On a phone the room for labels is a part of the picture: less of it, and fewer ticks.
function fitted(figure, width) {
  const { layout } = figure;
  if (width >= 520) return figure;
  if (layout.meta?.panels) return stacked(figure);
  for (const trace of figure.data) if (trace.meta?.narrow) Object.assign(trace, trace.meta.narrow, { text: plainly(trace.meta.narrow.text) });
  if (byRows(layout)) {
    layout.margin = { ...layout.margin, l: Math.min(layout.margin.l, 110), r: Math.min(layout.margin.r, 72) };
    layout.yaxis.ticktext = layout.yaxis.ticktext.map((label) => (label.length > 15 ? `${label.slice(0, 14)}…` : label));
    if (layout.xaxis.dtick) layout.xaxis.dtick *= 2;
  } else {
    layout.margin = { ...layout.margin, l: Math.min(layout.margin.l, 40), r: 8 };
    layout.annotations = (layout.annotations ?? []).filter((note) => note.name === "keep"); // the legend names the others
  }
  const { xaxis } = layout;
  if (xaxis?.tickvals?.length > 3) for (const part of ["tickvals", "ticktext"]) xaxis[part] = xaxis[part].filter((_, i) => i % 2 === 0);
  return figure;
}

// Small multiples: two panels a row on a phone, in the same heights.
function stacked({ data, layout }) {
  const { height, heading, foot } = layout.meta.panels;
  const across = axes(layout, "x");
  const up = axes(layout, "y");
  layout.height = Math.ceil(across.length / 2) * height;
  for (const [i, axis] of across.entries()) {
    const [column, row] = [i % 2, i >> 1];
    const roof = 1 - (row * height + heading) / layout.height;
    axis.domain = [(column + 0.03) / 2, (column + 0.93) / 2];
    up[i].domain = [Math.max(0, 1 - ((row + 1) * height - foot) / layout.height), roof];
    up[i].showticklabels = column === 0;
  }
  return { data, layout };
}

function read(card) {
  return JSON.parse(document.getElementById(`${card.dataset.chart}-figure`).textContent);
}

async function draw(card) {
  const live = card.querySelector(".plot-live");
  const figure = fitted(themed(read(card)), card.clientWidth);
  const hidden = new Set([...card.querySelectorAll("[data-series][aria-pressed=false]")].map((one) => one.dataset.series));
  for (const trace of figure.data) trace.visible = !hidden.has(trace.meta?.key);
  live.style.blockSize = `${figure.layout.height}px`;
  card.classList.add("live"); // seen before it is drawn: Plotly measures its place
  await Plotly.react(live, figure.data, figure.layout, CONFIG);
  card.classList.add("drawn");
  if (drawn.has(card)) return;
  drawn.add(card);
  live.on("plotly_click", ({ points: [point] }) => follow(point));
  legend(card);
  tools(card);
  points(card, live);
}

function follow(point) {
  const address = point?.customdata?.[1];
  if (address) location.assign(address);
}

// Click: only this series, again: all. Shift-click: this one on or off.
function legend(card) {
  const buttons = [...card.querySelectorAll("[data-series]")];
  for (const button of buttons) {
    button.addEventListener("click", (event) => {
      const shown = (one) => one.getAttribute("aria-pressed") === "true";
      const alone = shown(button) && buttons.filter(shown).length === 1;
      for (const one of buttons) {
        const on = event.shiftKey ? (one === button ? !shown(one) : shown(one)) : alone || one === button;
        one.setAttribute("aria-pressed", on);
      }
      draw(card);
    });
  }
}

function tools(card) {
  const png = card.querySelector("[data-png]");
  if (png) {
    png.hidden = false;
    png.addEventListener("click", () => save(card));
  }
  const table = card.querySelector("[data-table]");
  if (table) {
    table.hidden = false;
    table.addEventListener("click", () => {
      const details = card.querySelector("details");
      details.open = !details.open;
      table.setAttribute("aria-expanded", details.open);
      if (details.open) details.scrollIntoView({ block: "nearest" });
    });
  }
}

// A picture at twice its size, with title, unit, legend, filters, date and organization inside it.
async function save(card) {
  const figure = themed(read(card));
  const words = (selector, root = card) => [...root.querySelectorAll(selector)].map((node) => node.textContent.trim().replace(/\s+/g, " ").replaceAll("CO2e", "CO\u2082e"));
  const [width, edge] = [1000, 16];
  const entries = [...card.querySelectorAll(".legend > *")];
  const chosen = words("p.print-only", document);
  const filters = (chosen.length ? chosen : words(".page-head .dots span", document)).join(" · ");
  const foot = [...words(".notes li, p.notes"), [...words(".brand", document).slice(0, 1), filters, new Date().toISOString().slice(0, 10)].filter(Boolean).join(" · ")];
  const head = 76 + (entries.length ? 26 : 0);
  const height = figure.layout.height + head + 20 * foot.length + edge;
  const layout = { ...figure.layout, width: width - 2 * edge, autosize: false };
  const vector = await Plotly.toImage({ data: figure.data, layout, config: CONFIG }, { format: "svg", width: width - 2 * edge, height: figure.layout.height });
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  const pen = canvas.getContext("2d");
  pen.scale(2, 2);
  pen.fillStyle = colour("ground");
  pen.fillRect(0, 0, width, height);
  const write = (text, x, y, { size = 13, weight = 400, token = "muted" } = {}) => {
    pen.font = `${weight} ${size}px "Source Sans 3", sans-serif`;
    pen.fillStyle = colour(token);
    pen.fillText(text, x, y, width - x - edge);
    return x + pen.measureText(text).width;
  };
  write(words("h2")[0], edge, 30, { size: 18, weight: 620, token: "text" });
  write(words(".sub")[0], edge, 54);
  let x = edge;
  for (const entry of entries) {
    const key = new XMLSerializer().serializeToString(entry.querySelector("svg"));
    const hue = getComputedStyle(entry.querySelector("svg")).color;
    const [, , wide, high] = entry.querySelector("svg").getAttribute("viewBox").split(" ").map(Number);
    pen.drawImage(await picture(key.replaceAll("currentColor", hue).replace("<svg", `<svg width="${wide}" height="${high}" fill="${hue}"`)), x, 71, wide, high);
    x = write(entry.textContent.trim(), x + wide + 6, 82, { token: "text" }) + 16;
  }
  pen.drawImage(await picture(await withFont(decodeURIComponent(vector.slice(vector.indexOf(",") + 1)))), edge, head, width - 2 * edge, figure.layout.height);
  for (const [i, line] of foot.entries()) write(line, edge, head + figure.layout.height + 18 + 20 * i, { size: 12 });
  const link = document.createElement("a");
  link.href = canvas.toDataURL("image/png");
  link.download = `${card.dataset.chart}.png`;
  link.click();
}

async function picture(vector) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([vector], { type: "image/svg+xml" }));
  await image.decode();
  URL.revokeObjectURL(image.src);
  return image;
}

// An SVG picture does not see the page's fonts: they travel inside it.
async function withFont(vector) {
  const font = document.querySelector("link[as=font]").href;
  const bytes = new Uint8Array(await (await fetch(font)).arrayBuffer());
  const face = `@font-face{font-family:'Source Sans 3';font-weight:400 700;src:url(data:font/woff2;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))})}`;
  return vector.replace(/<svg[^>]*>/, (tag) => `${tag}<style>${face}</style>`);
}

// Every point by itself where the traces say so, else all that stands over one slot: [curve, point, text, address].
function stops({ data, layout }) {
  const own = data.flatMap((trace, curve) => {
    const { points: every } = trace.meta ?? {};
    if (!every) return [];
    const at = (place, cell) => ({ curve, place, text: cell[0], address: cell[1], unknown: trace.type === "heatmap" && trace.z[place[0]][place[1]] === null });
    if (trace.type === "heatmap") return trace.customdata.flatMap((line, row) => line.map((cell, column) => at([row, column], cell)));
    return trace.customdata.flatMap((cell, i) => (i % every ? [] : [at(i, cell)])); // true is 1: each; 2: of each pair the first
  });
  if (own.length) return own;
  const across = layout.yaxis?.type === "category" ? "y" : "x";
  return (data[0]?.[across] ?? []).map((slot, i) => {
    const here = data.filter((trace) => trace[across].includes(slot));
    const said = here.map((trace) => `${trace.name ?? ""} ${trace.customdata?.[trace[across].indexOf(slot)]?.[0] ?? ""}`.trim());
    return { slot, across, text: `${slot}: ${said.join(", ")}`, address: data[0].customdata?.[i]?.[1] };
  });
}

// Points by keyboard: a listbox over the picture; arrows move, what hover says is read out, Enter narrows the page.
function points(card, live) {
  const box = card.querySelector(".slots");
  const readout = card.querySelector(".readout");
  if (!box) return;
  const figure = read(card);
  const found = stops(figure);
  const row = figure.data[0]?.type === "heatmap" ? figure.data[0].x.length : 1; // up and down in a grid: a row further
  box.replaceChildren(
    ...found.map(({ text }, i) => {
      const option = Object.assign(document.createElement("div"), { id: `${card.dataset.chart}-point-${i}`, textContent: text });
      option.setAttribute("role", "option");
      return option;
    }),
  );
  if (!found.length) return;
  box.hidden = false;
  box.tabIndex = 0;
  let at = -1;
  const show = (i) => {
    at = Math.max(0, Math.min(found.length - 1, i));
    box.setAttribute("aria-activedescendant", `${card.dataset.chart}-point-${at}`);
    [...box.children].forEach((option, j) => option.setAttribute("aria-selected", j === at));
    let { curve: curveNumber, place: pointNumber, slot, across, unknown } = found[at];
    if (slot) {
      curveNumber = live.data.findIndex((trace) => trace.visible !== false && trace[across].includes(slot));
      pointNumber = live.data[curveNumber]?.[across].indexOf(slot);
    }
    if (curveNumber < 0 || unknown) Plotly.Fx.unhover(live);
    else if (Array.isArray(pointNumber)) Plotly.Fx.hover(live, { xval: pointNumber[1], yval: pointNumber[0] }, "xy");
    else Plotly.Fx.hover(live, [{ curveNumber, pointNumber }], figure.layout.yaxis.anchor ? live.data[curveNumber].xaxis + live.data[curveNumber].yaxis : undefined);
    readout.textContent = found[at].text;
  };
  box.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: at + 1, ArrowDown: at + row, ArrowLeft: at - 1, ArrowUp: at - row, Home: 0, End: found.length - 1 };
    if (event.key in steps) show(steps[event.key]);
    else if (event.key === "Enter") follow({ customdata: ["", found[at]?.address] });
    else if (event.key === "Escape") Plotly.Fx.unhover(live);
    else return;
    event.preventDefault();
  });
  box.addEventListener("blur", () => {
    Plotly.Fx.unhover(live);
    readout.textContent = "";
  });
}

async function all(root = document) {
  const cards = [...root.querySelectorAll("[data-chart]")];
  if (!cards.length) return;
  // Plotly measures text: with the fallback font it would clip labels.
  await Promise.all(TEXT.map((font) => document.fonts.load(font)));
  await Promise.all(cards.map(draw));
}

all();
document.addEventListener("htmx:after:swap", (event) => all(event.target));
new MutationObserver(() => all()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => all());
matchMedia("(max-width: 560px)").addEventListener("change", () => all());
