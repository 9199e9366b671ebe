// The structures the network was trained on: a click adds one to the prompts.

const SPOKEN = { MR: "MRI", US: "ultrasound", Microscopy: "microscopy" };

/** `structures`: modality -> names; `add(name)` is called for a click. */
export class Known {
  constructor(box, structures, add) {
    this.box = box;
    this.structures = structures;
    this.add = add;
    this.modality = null;
    this.filter = box.querySelector("input");
    this.filter.addEventListener("input", () => this.#fill());
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    this.#fill();
  }

  /** Only the structures of a modality; all of them where it is not known. */
  show(modality) {
    this.modality = modality in this.structures ? modality : null;
    this.#fill();
  }

  #fill() {
    const wanted = this.filter.value.trim().toLowerCase();
    const entries = Object.entries(this.structures)
      .filter(([modality]) => this.modality === null || modality === this.modality)
      .flatMap(([modality, names]) => names.map((name) => ({ modality, name })));
    const shown = entries.filter(({ name }) => name.toLowerCase().includes(wanted));
    this.box.hidden = entries.length === 0;
    const where = this.modality ? ` in ${this.modality}` : "";
    this.box.querySelector("summary").textContent = `What the network knows${where} (${entries.length})`;
    this.box.querySelector("ul").replaceChildren(...shown.map((entry) => this.#item(entry)));
  }

  #item({ modality, name }) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = this.modality ? name : `${name} · ${modality}`;
    button.addEventListener("click", () => this.add(`${name} in ${SPOKEN[modality] ?? modality}`));
    item.append(button);
    return item;
  }
}
