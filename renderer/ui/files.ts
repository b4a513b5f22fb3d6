import { bytes } from './format.ts';

export type ReadText = { readonly text: string } | { readonly problem: string };

/** Text of a file that a person chose or dropped; nothing is read of one that is too long or that is no text. */
export async function readText(file: File, longest: number, what: string): Promise<ReadText> {
  if (file.size > longest) {
    return { problem: `${file.name} is ${bytes(file.size)}; ${what} is at most ${bytes(longest)}` };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch (error) {
    if (error instanceof TypeError) return { problem: `${file.name} is no text: it is not in UTF-8` };
    return { problem: `${file.name} cannot be read: ${(error as Error).message}` };
  }
  if (text.includes('\0')) return { problem: `${file.name} is no text: it holds zero bytes` };
  return { text };
}

/** A file that is dropped where nothing takes it would be opened in place of the page. */
export function refuseDrops(page: Window): void {
  const refuse = (event: DragEvent) => {
    if (event.defaultPrevented || event.dataTransfer?.types.includes('Files') !== true) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'none';
  };
  page.addEventListener('dragover', refuse);
  page.addEventListener('drop', refuse);
}
