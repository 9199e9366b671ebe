// The list of what was found.

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** Fill `list`; `onToggle(id, shown)` and `onGo(id)` tell what a person does with an entry. */
export function showClasses(list, classes, onToggle, onGo) {
  list.replaceChildren(...classes.map((found) => entry(found, onToggle, onGo)));
}

function entry(found, onToggle, onGo) {
  const item = document.createElement("li");
  item.dataset.id = found.id;
  item.style.setProperty("--tint", found.colour);
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.className = "swatch";
  box.checked = found.voxels > 0;
  box.disabled = found.voxels === 0;
  box.addEventListener("change", () => onToggle(found.id, box.checked));
  label.append(box, text("span", "name", found.text));
  item.append(label, amount(found));
  item.classList.toggle("missing", found.voxels === 0);
  if (found.voxels > 0) {
    const go = text("button", "go", "Go to");
    go.type = "button";
    go.setAttribute("aria-label", `Go to ${found.text}`);
    go.addEventListener("click", () => onGo(found.id));
    item.append(go);
  }
  return item;
}

function amount(found) {
  const line = text("span", "amount", "");
  if (found.voxels > 0) line.append(`${number.format(found.millilitres)} ml`);
  else line.append(text("span", "none", "not found"));
  if (found.presence !== null) line.append(` · presence ${Math.round(100 * found.presence)}%`);
  return line;
}

function text(tag, className, words) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = words;
  return element;
}
