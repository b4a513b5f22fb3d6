import { expect, test } from 'vitest';
import { Anchor } from './anchor.ts';

/** Answers when it is told to. */
function slowly() {
  const asked: number[] = [];
  const answers: ((index: number) => void)[] = [];
  return {
    asked,
    answers,
    locate: (row: number) => {
      asked.push(row);
      return new Promise<number>((resolve) => answers.push(resolve));
    },
  };
}

test('the row that was seen first, or the one that was chosen, is come back to', async () => {
  const anchor = new Anchor();
  expect(await anchor.seek(async () => 1)).toBeUndefined();
  anchor.see(70);
  expect(await anchor.seek(async (row) => row / 10)).toEqual({ row: 70, index: 7, chosen: false });
  anchor.choose(90);
  anchor.scroll();
  anchor.see(20);
  expect(await anchor.seek(async (row) => row / 10)).toEqual({ row: 90, index: 9, chosen: true });
});

test('who goes elsewhere while the row is sought stays there', async () => {
  const anchor = new Anchor();
  anchor.see(70);
  const { locate, answers } = slowly();
  for (const move of [() => anchor.scroll(), () => anchor.choose(0)]) {
    const sought = anchor.seek(locate);
    move();
    answers.pop()!(7);
    expect(await sought).toBeUndefined();
  }
  const seen = new Anchor();
  seen.see(70);
  const sought = seen.seek(locate);
  seen.scroll();
  seen.see(33);
  answers.pop()!(7);
  expect(await sought).toBeUndefined();
  expect(await seen.seek(async (row) => row)).toEqual({ row: 33, index: 33, chosen: false });
});

test('a second change of the view seeks the same row, whatever came into view between', async () => {
  const anchor = new Anchor();
  anchor.see(70);
  const { locate, asked, answers } = slowly();
  const first = anchor.seek(locate);
  anchor.see(0);
  const second = anchor.seek(locate);
  answers[0]!(7);
  expect(await first).toBeUndefined();
  anchor.see(0);
  answers[1]!(8);
  expect(await second).toEqual({ row: 70, index: 8, chosen: false });
  expect(asked).toEqual([70, 70]);
  anchor.see(3);
  expect(await anchor.seek(async (row) => row)).toEqual({ row: 3, index: 3, chosen: false });
});

test('a search for it that fails is no end of it', async () => {
  const anchor = new Anchor();
  anchor.see(70);
  await expect(anchor.seek(() => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  anchor.see(71);
  expect(await anchor.seek(async (row) => row)).toEqual({ row: 71, index: 71, chosen: false });
});
