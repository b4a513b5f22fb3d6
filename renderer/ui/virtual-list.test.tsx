// @vitest-environment happy-dom
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rowByKey, rowsOf, VirtualList, type VirtualListProps } from './virtual-list.tsx';

beforeEach(() => {
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, value: 220 });
});
afterEach(cleanup);

const names = Array.from({ length: 410 }, (_, at) => `row ${at}`);
const wide = () => false;

function List(props: Partial<VirtualListProps>) {
  return (
    <VirtualList
      label="Rows"
      testId="rows"
      className=""
      keys={names}
      varies={wide}
      rove="button"
      row={(index) => <button type="button">{names[index]}</button>}
      {...props}
    />
  );
}

const shown = () => screen.getAllByRole('listitem').map((row) => Number(row.dataset.index));
const scrollTo = (top: number) => {
  const scroller = screen.getByTestId('rows').parentElement!;
  act(() => {
    scroller.scrollTop = top;
    fireEvent.scroll(scroller);
  });
};

test('of many rows only those in view exist, each with its place in the whole list', () => {
  render(<List />);
  expect(shown()[0]).toBe(0);
  expect(shown().length).toBeLessThan(30);
  const last = screen.getAllByRole('listitem').at(-1)!;
  expect(last.getAttribute('aria-setsize')).toBe('410');
  expect(last.getAttribute('aria-posinset')).toBe(`${shown().at(-1)! + 1}`);
  expect(screen.getByTestId('rows').style.height).toBe(`${410 * 22}px`);
  scrollTo(200 * 22);
  expect(shown()).toContain(205);
  expect(shown()).not.toContain(0);
});

test('the row that has the focus stays, wherever it is scrolled to, until the focus leaves it', () => {
  render(
    <>
      <List />
      <input data-testid="elsewhere" />
    </>,
  );
  act(() => screen.getByText('row 3').focus());
  scrollTo(300 * 22);
  expect(shown()[0]).toBe(3);
  expect(document.activeElement?.textContent).toBe('row 3');
  act(() => screen.getByTestId('elsewhere').focus());
  expect(shown()).not.toContain(3);
});

test('arrow keys, Home and End lead from row to row, beyond those in view', () => {
  render(<List />);
  act(() => screen.getByText('row 3').focus());
  const press = (key: string) => fireEvent.keyDown(document.activeElement!, { key });
  press('ArrowDown');
  expect(document.activeElement?.textContent).toBe('row 4');
  press('End');
  expect(document.activeElement?.textContent).toBe('row 409');
  press('ArrowDown');
  expect(document.activeElement?.textContent).toBe('row 409');
  press('Home');
  expect(document.activeElement?.textContent).toBe('row 0');
});

test('a row that is wanted comes into view', () => {
  const { rerender } = render(<List />);
  const scroller = screen.getByTestId('rows').parentElement!;
  Object.defineProperty(scroller, 'scrollHeight', { value: 410 * 22 });
  let top = 0;
  scroller.scrollTo = ((options: ScrollToOptions) => {
    top = options.top ?? 0;
  }) as typeof scroller.scrollTo;
  rerender(<List wanted={{ index: 250 }} />);
  expect(top).toBeGreaterThan((250 - 10) * 22);
  expect(top).toBeLessThanOrEqual(250 * 22);
});

test('keys lead to rows that there are', () => {
  expect(rowByKey('PageDown', 5, 410, 9)).toBe(14);
  expect(rowByKey('PageDown', 405, 410, 9)).toBe(409);
  expect(rowByKey('PageUp', 5, 410, 9)).toBe(0);
  expect(rowByKey('Enter', 5, 410, 9)).toBeUndefined();
  const range = { startIndex: 10, endIndex: 12, overscan: 1, count: 410 };
  expect(rowsOf(range, -1)).toEqual([9, 10, 11, 12, 13]);
  expect(rowsOf(range, 2)).toEqual([2, 9, 10, 11, 12, 13]);
  expect(rowsOf(range, 400)).toEqual([9, 10, 11, 12, 13, 400]);
  expect(rowsOf(range, 410)).toEqual([9, 10, 11, 12, 13]);
});
