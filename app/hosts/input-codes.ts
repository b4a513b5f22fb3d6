/** Numbers of linux/input-event-codes.h. */
export const EventKind = { key: 1, relative: 2 } as const;
export const Relative = { x: 0, y: 1, wheelX: 6, wheelY: 8 } as const;
export const Button = { left: 0x110, right: 0x111, middle: 0x112, side: 0x113, extra: 0x114 } as const;
