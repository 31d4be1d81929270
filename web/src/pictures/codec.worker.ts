/** The worker's side of `coder.ts`. */

import { CodecFault, decode, encodeMask, encodePicture } from "./codec";
import type { Answer, Request } from "./coder";

addEventListener("message", (event: MessageEvent<{ id: number; request: Request }>) => {
  const { id, request } = event.data;
  void answer(request).then(
    ({ value, transfer }) => reply({ id, value }, transfer),
    (error: unknown) => reply({ id, fault: error instanceof CodecFault ? error.fault : "unreadable" }, []),
  );
});

function reply(answer: Answer, transfer: Transferable[]): void {
  postMessage(answer, { transfer });
}

async function answer(request: Request): Promise<{ value: unknown; transfer: Transferable[] }> {
  if (request.kind === "decode") {
    const decoded = await decode(request.blob);
    const { width, height, data } = decoded.pixels;
    const bitmap = await createImageBitmap(new ImageData(data, width, height));
    return { value: { ...decoded, bitmap }, transfer: [data.buffer, bitmap] };
  }
  if (request.kind === "picture") return { value: await encodePicture(request.pixels), transfer: [] };
  return { value: await encodeMask(request.width, request.height, request.mask), transfer: [] };
}
