import { addNotice, noticeError } from '#renderer/state/notices.ts';

export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // Not allowed without focus or a permission; the old way below needs neither.
    }
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  const focused = document.activeElement as HTMLElement | null;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus();
  if (!done) throw new Error('The clipboard did not take the text');
}

export async function copyWithNotice(what: string, text: string | Promise<string>): Promise<void> {
  try {
    const ready = await text;
    await copyText(ready);
    addNotice({ level: 'info', text: `Copied ${what}` }, true);
  } catch (error) {
    noticeError(`Copy ${what}`, error);
  }
}

export function saveText(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
