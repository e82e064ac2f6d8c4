"use strict";
// Draws each chart of a page with the bundled Vega runtime, in one visual language taken from the page's own colours.
(() => {
  // Okabe and Ito's palette for colour-blind readers, the control in grey; darkened or lightened for contrast.
  const COLOURS = {
    light: ["#5f6672", "#0063a0", "#b84a00", "#00795a", "#a34a80", "#8a6400", "#2b86b5", "#5b3fa0"],
    dark: ["#a3a9b5", "#56b4e9", "#f2a65a", "#3fc79e", "#e39bc4", "#e6c229", "#8fd0f5", "#b7a3ef"],
  };
  const MARKS = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"];
  const GLYPHS = ["●", "■", "▲", "◆", "✚", "▼", "▶", "◀"];
  const DASHES = [[1, 0], [6, 3], [2, 2]];
  const MANY = 3;
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      ink: colour("--ink"), soft: colour("--soft"), line: colour("--line"),
      arms: scheme.matches && !printing ? COLOURS.dark : COLOURS.light,
      font: getComputedStyle(document.body).fontFamily,
    };
  }

  function config(look) {
    return {
      background: null, font: look.font, view: { stroke: null },
      axis: {
        labelColor: look.soft, titleColor: look.soft, gridColor: look.line, domainColor: look.line, tickColor: look.line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelPadding: 6,
      },
      axisX: { grid: false, labelFlush: true }, axisY: { domain: false, ticks: false, tickCount: 5 },
      header: { labelColor: look.ink, labelFontSize: 12, title: null },
    };
  }

  const day = (row) => row.slice(0, 10) + "T00:00:00Z";

  function armScale(data, look) {
    return {
      field: "arm", type: "nominal", legend: null,
      scale: { domain: data.arms, range: data.arms.map((_, place) => look.arms[place % look.arms.length]) },
    };
  }

  function dash(data) {
    return {
      field: "arm", type: "nominal", legend: null,
      scale: { domain: data.arms, range: data.arms.map((_, place) => DASHES[Math.floor(place / 8) % DASHES.length]) },
    };
  }

  const shape = (data) => ({
    field: "arm", type: "nominal", legend: null,
    scale: { domain: data.arms, range: data.arms.map((_, place) => MARKS[place % MARKS.length]) },
  });

  const time = (extra) => ({
    field: "day", type: "temporal", title: "Day", scale: { type: "utc" },
    axis: { format: "%-d %b", tickCount: 6, labelOverlap: true }, ...extra,
  });

  // More arms than a reader can tell apart in one frame get a frame each, on the same axes.
  function frames(data, width, values, encoding, layer) {
    if (data.arms.length <= MANY) return { data: { values }, encoding, layer };
    const columns = Math.max(1, Math.min(3, Math.floor(width / 220)));
    const axis = { ...encoding.x, title: null, axis: { format: "%-d %b", tickCount: 3 } };
    return {
      data: { values }, columns, spacing: 22,
      facet: { field: "arm", type: "nominal", sort: data.arms, title: null, header: { labelLimit: 200 } },
      spec: { width: Math.floor(width / columns) - 66, height: 110, encoding: { ...encoding, x: axis }, layer },
    };
  }

  function exposures(data, look, width) {
    const values = data.points.map(([at, arm, total, added]) => ({ day: day(at), arm: data.arms[arm], total, added }));
    const y = { field: "total", type: "quantitative", title: data.y, axis: { format: "~s" } };
    return frames(data, width, values, { x: time(), color: armScale(data, look) }, [
      { mark: { type: "line", strokeWidth: 2 }, encoding: { y, strokeDash: dash(data) } },
      {
        mark: { type: "point", size: 26, filled: true },
        encoding: {
          y, shape: shape(data),
          tooltip: [
            { field: "day", type: "temporal", format: "%-d %b %Y", title: "Day" }, { field: "arm", title: "Arm" },
            { field: "total", format: ",", title: "Units" }, { field: "added", format: ",", title: "New" },
          ],
        },
      },
    ]);
  }

  // The axis holds zero and what the later two thirds of the days say; the first days' wide intervals are cut.
  function domainOf(values) {
    const late = values.slice(Math.floor(values.length / 3));
    const ends = late.flatMap((v) => [v.olow, v.ohigh, v.low, v.high, v.lift, 0]).filter(Number.isFinite);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const room = (high - low || 1) * 0.12;
    return [low - room, high + room];
  }

  // An end that does not exist is null; a format would print it as 0.
  const said = (share) => (low, high) => [low, high].map((end) => (end === null ? "open" : (end < 0 ? "−" : "+")
    + (share ? Math.abs(100 * end).toFixed(2) + "%" : Number(Math.abs(end).toPrecision(4))))).join(" to ");

  function lift(data, look, width) {
    const between = said(data.share);
    const values = data.points.map(([at, arm, value, low, high, olow, ohigh]) => ({
      day: day(at), arm: data.arms[arm], lift: value, low, high, olow, ohigh, interval: between(low, high),
      every: olow === null && ohigh === null ? "none yet" : between(olow, ohigh),
    }));
    const domain = domainOf(values);
    const format = data.share ? "+.2%" : "+.4~g";
    const y = (field, extra) => ({
      field, type: "quantitative", title: data.y, axis: { labelExpr: data.share ? "datum.value === 0 ? '0%' : format(datum.value, '+~%')" : "format(datum.value, '+~g')" },
      scale: { domain, nice: false }, ...extra,
    });
    const color = armScale(data, look);
    const bounds = ["olow", "ohigh"].map((field) => ({
      mark: { type: "line", strokeWidth: 1.2, strokeDash: [4, 3], clip: true }, encoding: { y: y(field) },
    }));
    // What holds at every look has an arm's colour and an edge; the interval of one day alone is grey and has none.
    const layer = [
      ...(data.sequential ? [{
        mark: { type: "area", opacity: 0.16, clip: true }, encoding: { y: y("olow"), y2: { field: "ohigh" } },
      }, ...bounds] : []),
      {
        mark: { type: "area", opacity: 0.22, clip: true },
        encoding: { y: y("low"), y2: { field: "high" }, color: { value: look.soft }, detail: { field: "arm" } },
      },
      { mark: { type: "line", strokeWidth: 2, clip: true }, encoding: { y: y("lift"), strokeDash: dash(data) } },
      {
        mark: { type: "point", size: 26, filled: true, clip: true },
        encoding: {
          y: y("lift"), shape: shape(data),
          tooltip: [
            { field: "day", type: "temporal", format: "%-d %b %Y", title: "Cut-off" }, { field: "arm", title: "Arm" },
            { field: "lift", format, title: "Lift" },
            { field: "interval", title: "Interval" },
            ...(data.sequential ? [{ field: "every", title: "Every look" }] : []),
          ],
        },
      },
      { mark: { type: "rule", color: look.soft, strokeWidth: 1 }, encoding: { x: null, color: { value: look.soft }, y: { datum: 0 } } },
    ];
    return frames(data, width, values, { x: time(), color }, layer);
  }

  function power(data, look) {
    const values = data.points.map(([effect, line, chance]) => ({ effect, arm: data.arms[line], chance }));
    const y = { field: "chance", type: "quantitative", title: "Power", axis: { format: ".0%" }, scale: { domain: [0, 1] } };
    const x = { field: "effect", type: "quantitative", title: "True effect, relative", axis: { format: ".2~p", tickCount: 6 } };
    return {
      data: { values },
      layer: [
        {
          mark: { type: "line", strokeWidth: 2, clip: true },
          encoding: {
            x, y, color: armScale(data, look), strokeDash: dash(data),
            tooltip: [
              { field: "arm", type: "nominal", title: "Length" }, { field: "effect", format: ".2~p", title: "True effect" },
              { field: "chance", format: ".0%", title: "Power" },
            ],
          },
        },
        { mark: { type: "rule", color: look.soft, strokeDash: [3, 3] }, encoding: { y: { datum: data.goal } } },
      ],
    };
  }

  const KINDS = { exposures, lift, power };

  function legend(plot, data, look) {
    let list = plot.parentElement.querySelector(".legend");
    if (!list) {
      list = document.createElement("ul");
      list.className = "legend";
      plot.before(list);
    }
    list.replaceChildren();
    const used = new Set(data.points.map((point) => point[1]));
    if (data.kind !== "power" && data.arms.length > MANY) return;
    data.arms.forEach((arm, place) => {
      if (!used.has(place)) return;
      const item = document.createElement("li");
      const mark = document.createElement("i");
      mark.ariaHidden = "true";
      mark.textContent = data.kind === "power" ? "━" : GLYPHS[place % GLYPHS.length];
      mark.style.color = look.arms[place % look.arms.length];
      item.append(mark, arm);
      list.append(item);
    });
  }

  function draw(plot) {
    const data = JSON.parse(document.getElementById("data-" + plot.dataset.chart).textContent);
    const look = theme();
    const width = plot.clientWidth;
    const spec = KINDS[data.kind](data, look, width);
    const sized = spec.facet ? spec : { width: "container", height: 260, autosize: { type: "fit", contains: "padding" }, ...spec };
    legend(plot, data, look);
    // The plot says in words what it is; what the runtime draws inside is a picture to a screen reader.
    const canvas = document.createElement("div");
    canvas.className = "canvas";
    canvas.ariaHidden = "true";
    plot.replaceChildren(canvas);
    return window.vegaEmbed(canvas, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...sized }, {
      actions: false, renderer: "svg", ast: true, defaultStyle: false, config: config(look), tooltip: { theme: scheme.matches ? "dark" : "light" },
    }).then(() => { plot.dataset.drawn = String(width); });
  }

  const plots = Array.from(document.querySelectorAll(".plot[data-chart]"));
  const redraw = () => plots.filter((plot) => plot.dataset.drawn).forEach(draw);
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });
  plots.forEach((plot) => seen.observe(plot));
  scheme.addEventListener("change", redraw);
  // What is folded on the screen and belongs on paper is opened for it.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    printing = true;
    opened = [...document.querySelectorAll("details[data-print]:not([open])")];
    opened.forEach((part) => { part.open = true; });
    plots.forEach(draw);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    opened.forEach((part) => { part.open = false; });
    redraw();
  });
  let pending = 0;
  window.addEventListener("resize", () => {
    clearTimeout(pending);
    pending = setTimeout(() => plots.filter((plot) => plot.dataset.drawn && plot.dataset.drawn !== String(plot.clientWidth)).forEach(draw), 150);
  });
})();
