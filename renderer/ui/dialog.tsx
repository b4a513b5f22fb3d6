import { X } from 'lucide-react';
import { Dialog as Radix } from 'radix-ui';
import type { ReactNode } from 'react';
import { Button } from './parts.tsx';

/** A dialog over the panels; Escape and the cross close it, and the focus goes back to where it was. */
export function Dialog(props: {
  open: boolean;
  title: string;
  testId: string;
  onClose: () => void;
  className?: string;
  children: ReactNode;
}) {
  return (
    <Radix.Root
      open={props.open}
      onOpenChange={(open) => {
        if (!open) props.onClose();
      }}
    >
      <Radix.Portal>
        <Radix.Overlay className="overlay" />
        <Radix.Content
          className={`dialog ${props.className ?? ''}`}
          aria-describedby={undefined}
          data-testid={props.testId}
        >
          <div className="dialog-head">
            <Radix.Title asChild>
              <h2 className="grow">{props.title}</h2>
            </Radix.Title>
            <Radix.Close asChild>
              <Button kind="icon quiet" aria-label="Close">
                <X />
              </Button>
            </Radix.Close>
          </div>
          <div className="dialog-body">{props.children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
