"use strict";
// The form of a new experiment: writes the file that `fairsplit new` would write from the same answers.
(() => {
  const form = document.getElementById("draft");
  const field = form.elements;
  const save = document.getElementById("save");
  const taken = new Set(JSON.parse(form.dataset.taken));
  const slug = new RegExp(form.dataset.slug);
  const variant = new RegExp(form.dataset.variant);
  let named = false;

  // A JSON string is a YAML double-quoted scalar, once characters that YAML does not print are escaped.
  const quoted = (text) => JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

  function answers() {
    return {
      id: field.id.value.trim(),
      name: field.name.value.trim(),
      owner: field.owner.value.trim(),
      hypothesis: field.hypothesis.value.trim().replace(/\s+/g, " "),
      arms: field.arms.value.split(",").map((arm) => arm.trim()).filter(Boolean),
      start: field.start.value,
      primary: field.primary.value,
      effect: Number((field.effect.valueAsNumber / 100).toPrecision(6)),
      guardrails: Array.from(form.querySelectorAll("[name=guardrail]:checked"), (box) => box.value),
    };
  }

  function problems(given) {
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
    ].filter(([, words]) => words);
  }

  function yaml(given) {
    return [
      "id: " + quoted(given.id),
      "name: " + quoted(given.name),
      "owner: " + quoted(given.owner),
      "hypothesis: " + quoted(given.hypothesis),
      "type: " + (given.arms.length === 2 ? "ab" : "abn"),
      "status: draft",
      "start: " + given.start + "T00:00:00Z",
      "traffic: 1.0",
      "variants:",
      ...given.arms.map((arm, place) => "  - {id: " + quoted(arm) + (place ? "" : ", control: true") + "}"),
      "metrics:",
      "  primary: [{metric: " + quoted(given.primary) + ", minimum_effect: " + given.effect + "}]",
      ...(given.guardrails.length ? ["  guardrails: [" + given.guardrails.map(quoted).join(", ") + "]"] : []),
      "",
    ].join("\n");
  }

  function show() {
    for (const box of form.querySelectorAll("[name=guardrail]")) {
      box.disabled = box.value === field.primary.value;
      if (box.disabled) box.checked = false;
    }
    if (!named) field.id.value = field.name.value.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 64);
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
  }

  form.addEventListener("input", (event) => {
    event.target.dataset.touched = "yes";
    if (event.target === field.id) named = field.id.value !== "";
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  field.start.valueAsDate = new Date(Date.now() + 86400000);
  show();
})();
