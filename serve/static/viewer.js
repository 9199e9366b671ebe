// The viewer: one image, one mask over it, in NiiVue.

/* global niivue */

const WINDOWS = {
  "soft tissue": [-160, 240],
  lung: [-1350, 150],
  brain: [0, 80],
  bone: [-500, 1300],
};
const STEPS = {
  ArrowLeft: [1, 0, 0], // the patient's right is on the left
  ArrowRight: [-1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

export class Viewer {
  constructor(canvas, onPlace) {
    this.classes = [];
    this.hidden = new Set();
    this.opacity = 0.6;
    this.type = niivue.SLICE_TYPE.MULTIPLANAR;
    this.nv = new niivue.Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.55, 0.75, 0.95, 0.7],
      crosshairWidth: 0.25,
      crosshairWidthUnit: "percent",
      crosshairGap: 6,
      fontColor: [0.95, 0.75, 0.35, 1],
      isRadiologicalConvention: true,
      showAllOrientationMarkers: true,
      show3Dcrosshair: false,
      isOrientCube: false,
      dragAndDropEnabled: false,
      viewModeHotKey: "",
      multiplanarShowRender: niivue.SHOW_RENDER.ALWAYS,
      multiplanarLayout: niivue.MULTIPLANAR_TYPE.GRID,
      multiplanarPadPixels: 6,
      renderOverlayBlend: 1,
      loadingText: "",
      logLevel: "error",
      onLocationChange: (place) => onPlace(this.#describe(place)),
    });
    // False in a browser without WebGL 2: then there is no view, and everything else works.
    this.ready = this.nv.attachToCanvas(canvas).then(() => true, () => false);
    canvas.addEventListener("keydown", (event) => this.#step(event), true);
  }

  get open() {
    return this.nv.volumes.length > 0;
  }

  /** Window presets of an image: CT has the usual ones. */
  static windows(image) {
    const automatic = { automatic: image.range };
    return image.modality === "CT" ? { ...automatic, ...WINDOWS } : automatic;
  }

  async show(image, url) {
    this.clear();
    if (!(await this.ready)) return;
    const [low, high] = image.range;
    const volume = await niivue.NVImage.loadFromUrl({
      url, name: "image.nii", colormap: "gray", cal_min: low, cal_max: high,
    });
    this.nv.addVolume(volume);
    this.nv.setSliceType(this.type);
    this.nv.createOnLocationChange();
  }

  setWindow([low, high]) {
    const image = this.nv.volumes[0];
    if (!image) return;
    image.cal_min = low;
    image.cal_max = high;
    this.nv.updateGLVolume();
  }

  clear() {
    this.showNoMask();
    while (this.nv.volumes.length) this.nv.removeVolume(this.nv.volumes.at(-1));
  }

  async showMask(classes, url) {
    if (!this.open) return;
    const mask = await niivue.NVImage.loadFromUrl({ url, name: "mask.nii.gz" });
    while (this.nv.volumes.length > 1) this.nv.removeVolume(this.nv.volumes.at(-1));
    this.classes = classes;
    this.nv.addVolume(mask);
    this.#paint();
  }

  showNoMask() {
    this.classes = [];
    this.hidden.clear();
    while (this.nv.volumes.length > 1) this.nv.removeVolume(this.nv.volumes.at(-1));
  }

  toggle(id, shown) {
    if (shown) this.hidden.delete(id);
    else this.hidden.add(id);
    this.#paint();
  }

  setOpacity(value) {
    this.opacity = value;
    if (this.nv.volumes[1]) this.nv.setOpacity(1, value);
  }

  view(name) {
    const types = niivue.SLICE_TYPE;
    const type = {
      all: types.MULTIPLANAR,
      axial: types.AXIAL,
      coronal: types.CORONAL,
      sagittal: types.SAGITTAL,
      render: types.RENDER,
    }[name];
    this.type = type;
    if (this.open) this.nv.setSliceType(type);
  }

  /** Move the crosshair to the voxel of a class that is nearest to its centre. */
  goTo(id) {
    const mask = this.nv.volumes[1];
    if (!mask) return;
    const voxel = centralVoxel(mask.img, mask.hdr.dims, id);
    if (!voxel) return;
    const place = [...voxel, 1];
    const mm = mask.hdr.affine.slice(0, 3).map((row) => row.reduce((sum, v, i) => sum + v * place[i], 0));
    this.nv.scene.crosshairPos = this.nv.mm2frac(mm);
    this.nv.createOnLocationChange();
    this.nv.drawScene();
  }

  #paint() {
    const mask = this.nv.volumes[1];
    if (!mask) return;
    const map = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
    for (const { id, text, colour } of this.classes) {
      const rgb = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
      map.R.push(rgb[0]);
      map.G.push(rgb[1]);
      map.B.push(rgb[2]);
      map.A.push(this.hidden.has(id) ? 0 : 255);
      map.I.push(id);
      map.labels.push(text);
    }
    mask.setColormapLabel(map);
    this.nv.setOpacity(1, this.opacity);
    this.nv.updateGLVolume();
  }

  #describe(place) {
    const axes = [["R", "L"], ["A", "P"], ["S", "I"]];  // NIfTI counts towards R, A and S
    const where = axes
      .map(([up, down], i) => `${place.mm[i] < 0 ? down : up} ${Math.abs(place.mm[i]).toFixed(0)}`)
      .join("  ");
    const value = place.values?.[0]?.value;
    const label = this.classes.find(({ id }) => id === place.values?.[1]?.value);
    return [`${where} mm`, value === undefined ? "" : `value ${+value.toFixed(2)}`, label?.text ?? ""]
      .filter(Boolean)
      .join("   ·   ");
  }

  #step(event) {
    const step = STEPS[event.key];
    if (!step || !this.open) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.nv.moveCrosshairInVox(...step);
  }
}

function centralVoxel(values, [, nx, ny], id) {
  const sum = [0, 0, 0];
  let count = 0;
  const each = (visit) => {
    for (let i = values.indexOf(id); i !== -1; i = values.indexOf(id, i + 1)) {
      visit(i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny)));
    }
  };
  each((x, y, z) => {
    sum[0] += x;
    sum[1] += y;
    sum[2] += z;
    count += 1;
  });
  if (!count) return null;
  const centre = sum.map((value) => value / count);
  let best = null;
  let least = Infinity;
  each((x, y, z) => {
    const distance = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2;
    if (distance < least) {
      least = distance;
      best = [x, y, z];
    }
  });
  return best;
}
