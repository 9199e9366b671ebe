// The page's flow: an image, prompts, a job, its mask.

import * as api from "./api.js";
import { showClasses } from "./classes.js";
import { Known } from "./known.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const POLL_MS = 300;
const state = { image: null, job: null, running: null, retry: null, limits: null, known: null };
const viewer = new Viewer($("canvas"), (place) => ($("place").textContent = place));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function say(words, bad = false) {
  $("message").textContent = words;
  $("message").classList.toggle("bad", bad);
}

function enable() {
  const busy = state.running !== null;
  $("segment").disabled = busy || !state.image;
  $("segment").textContent = state.job ? "Add to the result" : "Segment";
  $("restart").hidden = busy || !state.job;
  $("working").hidden = !busy;
  $("empty").hidden = viewer.open;
  for (const id of ["open-case", "file", "remove", "open-series"]) $(id).disabled = busy;
}

function progress(stage, part) {
  $("stage").textContent = stage;
  $("bar").value = part;
}

/** Run work that can be cancelled; its error is shown. */
async function busy(stage, cancel, work) {
  if (state.running) return;
  state.running = { cancel };
  say("");
  progress(stage, 0);
  enable();
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
    else say("Cancelled.");
  } finally {
    state.running = null;
    enable();
  }
}

async function open(stage, load) {
  const abort = new AbortController();
  $("series").hidden = true;
  await busy(stage, () => abort.abort(), async () => {
    let image;
    try {
      image = await load(null, abort.signal);
    } catch (error) {
      if (error.status !== 409 || !error.choices.length) throw error;
      chooseSeries(error.choices, load);
      return;
    }
    await showImage(image);
  });
}

function chooseSeries(choices, load) {
  const options = choices.map((words, index) => new Option(words, String(index + 1)));
  $("series-choice").replaceChildren(...options);
  $("series").hidden = false;
  $("series-choice").focus();
  state.retry = (series) => open("reading", (_, signal) => load(series, signal));
}

async function showImage(image) {
  const before = state.image;
  progress("drawing", 1);
  forgetResult();
  $("place").textContent = "";
  state.image = image;
  await viewer.show(image, api.imageUrl(image.id));
  const [d, h, w] = image.shape;
  const spacing = image.spacing.map((value) => +value.toFixed(2)).join(" × ");
  $("facts").dataset.image = image.id;
  $("fact-name").textContent = image.name;
  $("fact-text").textContent =
    `${image.modality ? `${image.modality}, ` : ""}${w} × ${h} × ${d} voxels of ${spacing} mm`;
  $("facts").hidden = false;
  const windows = Viewer.windows(image);
  $("window").replaceChildren(...Object.keys(windows).map((name) => new Option(name)));
  $("windows").hidden = Object.keys(windows).length < 2;
  $("source").open = false;
  $("source-title").textContent = "Open another image";
  state.known?.show(image.modality);
  const warnings = [...image.warnings];
  if (!viewer.open) warnings.push("This browser has no WebGL 2: masks can be made but not seen here.");
  if (warnings.length) say(warnings.join(" "));
  if (before) await api.removeImage(before.id).catch(() => {});
}

function forgetResult() {
  state.job = null;
  $("found-section").hidden = true;
  $("classes").replaceChildren();
}

const upload = (file) =>
  open("uploading", (series, signal) => api.upload(file, series, (part) => {
    progress(part < 1 ? "uploading" : "reading", part);
  }, signal));

async function segment(prompts) {
  let id = null;
  let cancelled = false;
  const cancel = () => {
    cancelled = true;
    progress("cancelling", $("bar").value);
    if (id) api.cancel(id).catch(() => {});
  };
  await busy("queued", cancel, async () => {
    const wanted = { image: state.image.id, prompts, extends: state.job?.id ?? null };
    let job = await api.submit(wanted);
    id = job.id;
    if (cancelled) job = await api.cancel(id);
    while (job.state === "queued" || job.state === "running") {
      if (!cancelled) progress(job.stage, job.progress);
      await pause(POLL_MS);
      job = await api.job(id);
    }
    if (job.state === "failed") throw new Error(job.error);
    if (job.state === "cancelled") throw new DOMException("cancelled", "AbortError");
    await showResult(job);
  });
}

async function showResult(job) {
  progress("drawing", 1);
  const hidden = new Set(viewer.hidden);
  const before = state.job?.classes.length ?? 0;
  await viewer.showMask(job.classes, api.viewerMaskUrl(job.id));
  state.job = job;
  $("prompts").value = "";
  showClasses($("classes"), job.classes, (id, shown) => viewer.toggle(id, shown), (id) => viewer.goTo(id));
  for (const id of hidden) {
    const box = $("classes").querySelector(`[data-id="${id}"] input`);
    if (box) box.checked = false;
  }
  $("warnings").replaceChildren(...job.warnings.map((words) => {
    const item = document.createElement("li");
    item.textContent = words;
    return item;
  }));
  $("download").href = api.maskUrl(job.id);
  $("download").download = job.mask_name;
  showDetails(job);
  $("found-section").hidden = false;
  const found = job.classes.filter(({ voxels }) => voxels > 0);
  say(`${found.length} of ${job.classes.length} found.`);
  const fresh = found.find(({ id }) => id > before);
  if (fresh) viewer.goTo(fresh.id);
}

function addPrompt(name) {
  const lines = $("prompts").value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!lines.includes(name)) $("prompts").value = [...lines, name].join("\n");
}

function showDetails(job) {
  const rows = [
    ["image", job.reused ? "encoded before, not again" : "encoded"],
    ...Object.entries(job.seconds).map(([stage, value]) => [stage, `${value.toFixed(2)} s`]),
    ...Object.entries(state.limits.network).map(([key, value]) => [key, value.slice(0, 40)]),
  ];
  $("details").replaceChildren(...rows.flatMap(([name, value]) => {
    const term = document.createElement("dt");
    const words = document.createElement("dd");
    term.textContent = name;
    words.textContent = value;
    return [term, words];
  }));
}

async function remove() {
  await busy("removing", () => {}, async () => {
    await api.removeImage(state.image.id);
    state.image = null;
    forgetResult();
    viewer.clear();
    $("facts").hidden = true;
    $("windows").hidden = true;
    $("source").open = true;
    $("source-title").textContent = "Choose an image";
    $("place").textContent = "";
    say("Removed, with its masks.");
  });
}

/** Ask for the token until the server takes it. */
let asking = null;
function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = $("sign-in");
    $("sign-in-form").onsubmit = async (event) => {
      event.preventDefault();
      try {
        await api.login($("token").value.trim());
      } catch (error) {
        $("sign-in-error").textContent = error.message;
        return;
      }
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.oncancel = (event) => event.preventDefault();
    dialog.showModal();
  });
  return asking;
}

/** The address printed at the start carries the token behind #, which no server or log sees. */
async function signInByAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  await api.login(token).catch(() => {});
}

function listen() {
  $("file").addEventListener("change", () => {
    const file = $("file").files[0];
    $("file").value = "";
    if (file) upload(file);
  });
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", type === "dragover");
      const file = type === "drop" ? event.dataTransfer.files[0] : null;
      if (file) upload(file);
    });
  }
  $("open-case").addEventListener("click", () => {
    const name = $("case").value;
    if (name) open("reading", (series) => api.openCase(name, series));
  });
  $("open-series").addEventListener("click", () => state.retry?.($("series-choice").value));
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const lines = $("prompts").value.split("\n").map((line) => line.trim()).filter(Boolean);
    const prompts = [...new Set(lines)];
    if (prompts.length && state.image) segment(prompts);
    else say("Type at least one structure, for example: liver", true);
  });
  $("prompts").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("ask").requestSubmit();
  });
  $("restart").addEventListener("click", () => {
    $("prompts").value = state.job.prompts.join("\n");
    forgetResult();
    viewer.showNoMask();
    say("");
    enable();
    $("prompts").focus();
  });
  $("cancel").addEventListener("click", () => state.running?.cancel());
  $("remove").addEventListener("click", remove);
  $("opacity").addEventListener("input", () => {
    $("opacity-value").value = `${$("opacity").value}%`;
    viewer.setOpacity($("opacity").value / 100);
  });
  $("window").addEventListener("change", () => {
    viewer.setWindow(Viewer.windows(state.image)[$("window").value]);
  });
  addEventListener("pagehide", () => {
    if (state.image) api.removeOnLeaving(state.image.id);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  $("views").addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (!chosen) return;
    for (const button of $("views").children) {
      button.setAttribute("aria-pressed", String(button === chosen));
    }
    viewer.view(chosen.dataset.view);
  });
}

async function start() {
  listen();
  enable();
  api.onSignIn(askToken);
  await signInByAddress();
  state.limits = await api.about();
  $("file").accept = state.limits.suffixes.flatMap((s) => (s === ".nii.gz" ? [s, ".gz"] : [s])).join();
  const { structures } = await api.prompts();
  state.known = new Known($("known"), structures, addPrompt);
  if (!state.limits.folder) return;
  const { cases, complete } = await api.cases();
  $("case").replaceChildren(...cases.map((name) => new Option(name)));
  if (!complete) $("case").append(new Option("(more are not listed)", ""));
  $("folder").hidden = false;
}

start().catch((error) => say(error.message, true));
