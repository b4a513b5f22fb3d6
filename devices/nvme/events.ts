/**
 * Asynchronous events (NVMe 1.4, 5.2). A request is held until there is an event; an event of a type is not sent
 * again before the driver has read the log page of the one before.
 */
import { LogPage, MAX_ASYNC_EVENT_REQUESTS } from './wire.ts';

/** Completes the request `commandId` with this DW0. */
export type SendEvent = (commandId: number, dw0: number) => void;

interface Event {
  readonly type: number;
  readonly information: number;
  readonly page: number;
}

export class AsyncEvents {
  private readonly send: SendEvent;
  private readonly canSend: () => boolean;
  private requests: number[] = [];
  private waiting: Event[] = [];
  /** Types sent and not read. */
  private masked = 0;

  constructor(send: SendEvent, canSend: () => boolean) {
    this.send = send;
    this.canSend = canSend;
  }

  reset(): void {
    this.requests = [];
    this.waiting = [];
    this.masked = 0;
  }

  get held(): number {
    return this.requests.length;
  }

  /** There are events that were not sent. */
  get pending(): boolean {
    return this.waiting.length > 0;
  }

  /** False when too many are held already. */
  hold(commandId: number): boolean {
    if (this.requests.length >= MAX_ASYNC_EVENT_REQUESTS) return false;
    this.requests.push(commandId);
    return true;
  }

  holds(commandId: number): boolean {
    return this.requests.includes(commandId);
  }

  /** Takes a held request back, for Abort. */
  cancel(commandId: number): boolean {
    const at = this.requests.indexOf(commandId);
    if (at < 0) return false;
    this.requests.splice(at, 1);
    return true;
  }

  raise(type: number, information: number, page: number): void {
    if (this.waiting.some((event) => event.type === type && event.information === information)) return;
    this.waiting.push({ type, information, page });
  }

  /** The driver has read a log page without retaining the event. */
  logRead(page: number): void {
    if (page === LogPage.errorInformation) this.masked &= ~1;
    if (page === LogPage.smart) this.masked &= ~2;
  }

  /** Sends what can be sent. True when anything was. */
  deliver(): boolean {
    let any = false;
    for (let i = 0; i < this.waiting.length && this.requests.length > 0 && this.canSend(); ) {
      const event = this.waiting[i]!;
      if ((this.masked >>> event.type) & 1) {
        i++;
        continue;
      }
      this.waiting.splice(i, 1);
      this.masked |= 1 << event.type;
      this.send(this.requests.shift()!, event.type | (event.information << 8) | (event.page << 16));
      any = true;
    }
    return any;
  }
}
