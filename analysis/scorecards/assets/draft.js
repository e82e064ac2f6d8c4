"use strict";
// The form of a new experiment: writes the file that `fairsplit new` would write from the same answers, and what else a
// definition can hold.
(() => {
  const form = document.getElementById("draft");
  const field = form.elements;
  const save = document.getElementById("save");
  const taken = new Set(JSON.parse(form.dataset.taken));
  const slug = new RegExp(form.dataset.slug);
  const variant = new RegExp(form.dataset.variant);
  const data = JSON.parse(document.getElementById("plan-data").textContent);
  const planner = window.fairsplitDesign(data);
  const tests = document.getElementById("tests");
  const armFields = document.getElementById("arm-fields");
  const own = new Map(); // What was typed for an arm, by its id: arms come and go while their names are typed.
  let named = false;

  // A JSON string is a YAML double-quoted scalar, and JSON is YAML, once characters that YAML does not print are escaped.
  const quoted = (value) => JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  const listed = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
  const share = (percent) => Number((percent / 100).toPrecision(6));
  const checked = (name) => Array.from(form.querySelectorAll(`[name=${name}]:checked`), (box) => box.value);

  function schema() {
    const text = field.schema.value.trim();
    if (!text) return null;
    try {
      const read = JSON.parse(text);
      return read && typeof read === "object" && !Array.isArray(read) ? read : undefined;
    } catch {
      return undefined;
    }
  }

  // A value of a configuration as its schema types it; undefined where the text is none.
  function typed(text, rule) {
    if (rule.enum) return rule.enum.find((choice) => String(choice) === text);
    if (rule.type === "string" || rule.type === undefined) return text;
    if (rule.type === "boolean") return { true: true, false: false }[text];
    if (rule.type === "number" || rule.type === "integer") {
      const number = text.trim() === "" ? NaN : Number(text);
      return Number.isFinite(number) && (rule.type === "number" || Number.isInteger(number)) ? number : undefined;
    }
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  function config(arm, rules) {
    const known = own.get(arm) || {};
    const found = {};
    const wrong = [];
    for (const [key, rule] of Object.entries((rules && rules.properties) || {})) {
      const text = known["config:" + key] || "";
      const needed = (rules.required || []).includes(key);
      if (text === "" && !needed) continue;
      const value = text === "" && rule.type !== "string" ? undefined : typed(text, rule);
      if (value === undefined || (text === "" && needed)) wrong.push(key);
      else found[key] = value;
    }
    return { found, wrong };
  }

  function condition(row) {
    const part = (name) => row.querySelector(`[data-part=${name}]`).value.trim();
    const operator = part("operator");
    const text = part("value");
    const test = { attribute: part("attribute") };
    const number = text === "" ? NaN : Number(text);
    if (operator === "in" || operator === "not_in") test[operator] = listed(text);
    else if (operator === "between") test[operator] = listed(text).map(Number);
    else if (/^[gl]te?$/.test(operator)) test[operator] = number;
    else if (operator === "is_null") test[operator] = text !== "false";
    else test[operator] = text;
    const value = test[operator];
    const whole = test.attribute && (Array.isArray(value)
      ? value.length > 0 && (operator !== "between" || (value.length === 2 && value.every(Number.isFinite)))
      : typeof value === "number" ? Number.isFinite(value) : value !== "");
    return whole ? test : null;
  }

  function answers() {
    const rules = schema();
    const arms = listed(field.arms.value);
    const uses = (name) => checked(name).map((metric) => {
      const margin = form.querySelector(`[name=margin][data-metric="${CSS.escape(metric)}"]`).valueAsNumber;
      return name === "guardrail" && Number.isFinite(margin) ? { metric, non_inferiority_margin: share(margin) } : metric;
    });
    const parts = Array.from(tests.children, condition);
    return {
      id: field.id.value.trim(),
      name: field.name.value.trim(),
      owner: field.owner.value.trim(),
      hypothesis: field.hypothesis.value.trim().replace(/\s+/g, " "),
      arms,
      start: field.start.value,
      primary: field.primary.value,
      effect: share(field.effect.valueAsNumber),
      guardrails: uses("guardrail"),
      secondary: uses("secondary"),
      traffic: field.traffic.valueAsNumber,
      rules,
      weights: arms.map((arm) => ((own.get(arm) || {}).weight || "").trim()),
      configs: arms.map((arm) => config(arm, rules)),
      unit: field.unit.value,
      tests: parts,
      targeting: [...parts, ...checked("inside").map((segment) => ({ segment }))],
      sdk: field.sdk.value,
      splits: listed(field.splits.value),
    };
  }

  function weightsFault(weights) {
    if (weights.every((text) => text === "")) return "";
    const sizes = weights.map((text) => (text === "" ? NaN : Number(text)));
    if (!sizes.every((size) => size >= 0 && size <= 100)) return "Weights: a per cent for every arm, or none for equal ones.";
    const sum = sizes.reduce((total, size) => total + size, 0);
    return Math.abs(sum - 100) < 1e-6 ? "" : `Weights: they sum to ${Number(sum.toPrecision(6))}%, not 100%.`;
  }

  function problems(given) {
    const faulty = given.configs.flatMap(({ wrong }, place) => wrong.map((key) => `${given.arms[place]}: ${key}`));
    return [
      [field.name, !given.name && "Name: say what readers will call it."],
      [field.id, !slug.test(given.id) && "Id: lower-case letters, digits, _ and -."],
      [field.id, taken.has(given.id) && "Id: taken by another experiment."],
      [field.owner, !given.owner && "Owner: say who answers for it."],
      [field.hypothesis, !given.hypothesis && "Hypothesis: say what should move, and why."],
      [field.arms, given.arms.length < 2 && "Arms: at least two, separated by commas."],
      [field.arms, new Set(given.arms).size < given.arms.length && "Arms: each name once."],
      [field.arms, !given.arms.every((arm) => variant.test(arm) && arm.length <= 64)
        && "Arms: letters, digits, _ . and -, at most 64."],
      [field.start, !field.start.validity.valid && "First day: a date."],
      [field.effect, !(given.effect > 0) && "Effect: more than 0%."],
      [null, given.guardrails.some((use) => use.metric && !(use.non_inferiority_margin > 0 && use.non_inferiority_margin < 1))
        && "Margin: more than 0% and less than 100%."],
      [field.traffic, !(given.traffic > 0 && given.traffic <= 100) && "Traffic: more than 0%, at most 100%."],
      [field.schema, given.rules === undefined && "Configuration: a JSON Schema, which is an object."],
      [null, given.rules !== undefined && faulty.length > 0 && `Configuration: a value that fits is missing for ${faulty.join(", ")}.`],
      [null, weightsFault(given.weights)],
      [null, given.tests.includes(null) && "Targeting: each test needs an attribute and a value that fits its operator."],
      [field.sample, field.sample.value !== "" && !field.sample.validity.valid && "Least units an arm: a whole number, at least 1."],
      [field.days, field.days.value !== "" && !field.days.validity.valid && "Longest duration: whole days, at least 1."],
    ].filter(([, words]) => words);
  }

  function plan() {
    const parts = [
      ["method", field.method.value], ["alpha", field.alpha.value], ["power", field.power.value],
      ["min_sample", field.sample.value], ["max_duration", field.days.value && field.days.value + "d"],
    ].filter(([, value]) => value);
    return parts.length ? ["plan: {" + parts.map(([name, value]) => `${name}: ${value}`).join(", ") + "}"] : [];
  }

  function variantLine(given, place) {
    const weight = given.weights[place] === "" ? "" : ", weight: " + Number((Number(given.weights[place]) / 100).toPrecision(12));
    const own = given.configs[place].found;
    return "  - {id: " + quoted(given.arms[place]) + (place ? "" : ", control: true") + weight
      + (Object.keys(own).length ? ", config: " + quoted(own) : "") + "}";
  }

  function yaml(given) {
    const [only] = given.targeting;
    const together = given.targeting.length > 1 ? { [field.together.value]: given.targeting } : only;
    const uses = (list) => "[" + list.map(quoted).join(", ") + "]";
    return [
      "id: " + quoted(given.id),
      "name: " + quoted(given.name),
      "owner: " + quoted(given.owner),
      "hypothesis: " + quoted(given.hypothesis),
      "type: " + (given.arms.length === 2 ? "ab" : "abn"),
      ...(given.unit === "user" ? [] : ["unit: " + given.unit]),
      ...(given.sdk === "ufc" ? [] : ["sdk: " + given.sdk]),
      "status: draft",
      "start: " + given.start + "T00:00:00Z",
      "traffic: " + (given.traffic === 100 ? "1.0" : share(given.traffic)),
      ...(given.rules ? ["config_schema: " + quoted(given.rules)] : []),
      "variants:",
      ...given.arms.map((arm, place) => variantLine(given, place)),
      ...(together ? ["targeting: " + quoted(together)] : []),
      ...(given.splits.length ? ["segments: " + uses(given.splits)] : []),
      "metrics:",
      "  primary: [{metric: " + quoted(given.primary) + ", minimum_effect: " + given.effect + "}]",
      ...(given.guardrails.length ? ["  guardrails: " + uses(given.guardrails)] : []),
      ...(given.secondary.length ? ["  secondary: " + uses(given.secondary)] : []),
      ...plan(),
      "",
    ].join("\n");
  }

  // How long it must run, by the planner's arithmetic and what the primary metric measured.
  function planned(given) {
    const measured = data.metrics[given.primary];
    const out = { days: "–", total: "–", note: "" };
    const equal = given.weights.every((text) => text === given.weights[0]);
    const method = field.method.value || "fixed";
    const place = [data.grid.methods.indexOf(method), data.grid.alphas.indexOf(Number(field.alpha.value || 0.05)),
      data.grid.powers.indexOf(Number(field.power.value || 0.8))];
    if (!measured) out.note = "This metric has not been measured yet.";
    else if (!equal) out.note = "For unequal weights: fairsplit plan --metric " + given.primary + " --split …";
    else if (given.arms.length < 2 || given.arms.length - 1 > data.grid.reach_alpha.length || place.includes(-1)) out.note = "";
    else {
      const asked = {
        baseline: planner.share(measured.baseline), sd: measured.sd === "" ? null : planner.share(measured.sd),
        effect: (measured.falls ? -1 : 1) * given.effect, alpha: place[1], power: place[2], method: place[0],
        arms: given.arms.length - 1, correlation: planner.share(measured.correlation || "0"),
        daily: measured.daily === "" ? null : planner.share(measured.daily) * given.traffic / 100,
        window: planner.share(measured.window || "0"),
      };
      out.note = planner.wrong(asked);
      if (!out.note) {
        const found = planner.design(asked);
        out.total = found.total.toLocaleString("en-US");
        out.days = asked.daily === null ? "–" : found.days === null ? "over " + data.longest : found.days.toLocaleString("en-US");
        out.note = "As the planner counts: what this metric measured, this traffic, equal arms.";
      }
    }
    for (const [name, text] of Object.entries(out)) document.getElementById("plan-" + name).textContent = text;
  }

  function labelled(words, input) {
    const label = document.createElement("label");
    label.append(words + " ", input);
    return label;
  }

  function input(arm, key, rule) {
    const choices = rule.enum || (rule.type === "boolean" ? [true, false] : null);
    const made = document.createElement(choices ? "select" : "input");
    for (const choice of choices ? ["", ...choices] : []) made.append(new Option(String(choice), String(choice)));
    made.dataset.arm = arm;
    made.dataset.key = key;
    made.value = (own.get(arm) || {})[key] || "";
    return made;
  }

  // Weight and configuration of each arm; built anew only when the arms or the schema change, so that typing goes on.
  function drawArms() {
    const arms = listed(field.arms.value);
    const rules = schema();
    const key = JSON.stringify([arms, rules]);
    if (armFields.dataset.drawn === key || rules === undefined) return;
    armFields.dataset.drawn = key;
    armFields.replaceChildren(...arms.map((arm) => {
      const box = document.createElement("fieldset");
      const legend = document.createElement("legend");
      legend.textContent = arm;
      box.append(legend, labelled("Weight, %", input(arm, "weight", {})));
      for (const [name, rule] of Object.entries((rules && rules.properties) || {})) {
        box.append(labelled(name, input(arm, "config:" + name, rule && typeof rule === "object" ? rule : {})));
      }
      return box;
    }));
  }

  function show() {
    for (const name of ["guardrail", "secondary"]) {
      for (const box of form.querySelectorAll(`[name=${name}]`)) {
        const other = form.querySelector(`[name=guardrail][value="${CSS.escape(box.value)}"]`);
        box.disabled = box.value === field.primary.value || (name === "secondary" && other.checked);
        if (box.disabled) box.checked = false;
      }
    }
    if (!named) field.id.value = field.name.value.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 64);
    drawArms();
    const given = answers();
    const wrong = problems(given);
    for (const input of form.querySelectorAll("input:not([type=checkbox]), textarea")) {
      const faulty = input.dataset.touched && wrong.some(([at]) => at === input);
      input.toggleAttribute("aria-invalid", Boolean(faulty));
      if (faulty) input.setAttribute("aria-invalid", "true");
    }
    document.getElementById("wrong").replaceChildren(...wrong.map(([, words]) => {
      const line = document.createElement("li");
      line.textContent = words;
      return line;
    }));
    const text = wrong.length ? "" : yaml(given);
    document.getElementById("yaml").textContent = text;
    document.getElementById("yaml").hidden = !text;
    URL.revokeObjectURL(save.href);
    if (text) {
      save.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
      save.download = given.id + ".yaml";
    } else save.removeAttribute("href");
    planned(given);
  }

  // The chosen one always stays in sight.
  function findMetric() {
    const words = document.getElementById("find-metric").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (text) => words.every((word) => text.includes(word));
    for (const row of document.querySelectorAll("#uses tbody tr")) row.hidden = !fits(row.dataset.text) && !row.querySelector(":checked");
    for (const option of field.primary.options) option.hidden = !fits((option.text + " " + option.value).toLowerCase()) && !option.selected;
  }

  form.addEventListener("input", (event) => {
    const { target } = event;
    target.dataset.touched = "yes";
    if (target === field.id) named = field.id.value !== "";
    if (target.dataset.arm) own.set(target.dataset.arm, { ...own.get(target.dataset.arm), [target.dataset.key]: target.value });
    if (target.id === "find-metric") findMetric();
    else show();
  });
  document.getElementById("add-test").addEventListener("click", () => {
    tests.append(document.getElementById("test").content.cloneNode(true));
    tests.lastElementChild.querySelector("input").focus();
    show();
  });
  tests.addEventListener("click", (event) => {
    if (event.target.dataset.part !== "remove") return;
    event.target.closest(".test").remove();
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  field.start.valueAsDate = new Date(Date.now() + 86400000);
  show();
})();
