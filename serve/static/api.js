// Calls to the server. Every refusal becomes an Error with the server's one line.

export class Refusal extends Error {
  constructor(status, body) {
    super(body?.error ?? `the server answered with status ${status}`);
    this.status = status;
    this.choices = body?.choices ?? [];
  }
}

let signIn = null;

/** `ask` is called when the server wants a token; it resolves once the page is signed in. */
export function onSignIn(ask) {
  signIn = ask;
}

async function parse(response) {
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(response.status, body);
  return body;
}

async function call(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(`/api${path}`, options);
  if (response.status === 401 && path !== "/login" && signIn) {
    await signIn();
    return call(method, path, body);
  }
  return parse(response);
}

export const login = (token) => call("POST", "/login", { token });
export const about = () => call("GET", "/about");
export const prompts = () => call("GET", "/prompts");
export const cases = () => call("GET", "/cases");
export const openCase = (name, series) => call("POST", "/cases/open", { case: name, series });
export const removeImage = (id) => call("DELETE", `/images/${id}`);
export const removeOnLeaving = (id) => fetch(`/api/images/${id}`, { method: "DELETE", keepalive: true });
export const submit = (job) => call("POST", "/jobs", job);
export const job = (id) => call("GET", `/jobs/${id}`);
export const cancel = (id) => call("DELETE", `/jobs/${id}`);
export const imageUrl = (id) => `/api/images/${id}/viewer.nii`;
export const maskUrl = (id) => `/api/jobs/${id}/mask`;
export const viewerMaskUrl = (id) => `/api/jobs/${id}/viewer-mask.nii.gz`;

/** Upload with progress (0..1); `signal` aborts it. */
export function upload(file, series, progress, signal) {
  return new Promise((resolve, reject) => {
    const query = new URLSearchParams({ name: file.name });
    if (series) query.set("series", series);
    const request = new XMLHttpRequest();
    request.open("POST", `/api/images?${query}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onload = () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Refusal(request.status, request.response));
    };
    request.onerror = () => reject(new Error("the server cannot be reached or ended the upload"));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
