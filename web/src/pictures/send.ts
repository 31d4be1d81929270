/** Sends bytes to a signed link and tells how many have gone: `fetch` cannot tell that. */

export interface Sending {
  method: "POST" | "PUT";
  url: string;
  body: Blob | FormData;
  headers?: Record<string, string>;
  onSent: (bytes: number) => void;
  signal?: AbortSignal | undefined;
}

export interface Sent {
  ok: boolean;
  /** 0: there was no answer. */
  status: number;
}

/** Throws the signal's reason when it was aborted; every other end is in the answer. */
export function send({ method, url, body, headers = {}, onSent, signal }: Sending): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => {
      request.abort();
      reject(signal?.reason as Error);
    };
    if (signal?.aborted) return stop();
    signal?.addEventListener("abort", stop);
    request.upload.addEventListener("progress", (event) => onSent(event.loaded));
    request.addEventListener("loadend", () => {
      signal?.removeEventListener("abort", stop);
      resolve({ ok: request.status >= 200 && request.status < 300, status: request.status });
    });
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}
