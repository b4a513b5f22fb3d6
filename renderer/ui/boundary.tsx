import { Component, type ReactNode } from 'react';
import { addNotice } from '#renderer/state/notices.ts';
import { Button, Empty } from './parts.tsx';

/** One panel that fails must not take the window with it. */
export class Boundary extends Component<
  { title: string; children: ReactNode },
  { error: Error | undefined }
> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidCatch(error: Error): void {
    addNotice({ level: 'error', text: `${this.props.title} failed: ${error.message}` });
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <div className="panel">
        <Empty
          action={<Button onClick={() => this.setState({ error: undefined })}>Show the panel again</Button>}
        >
          {this.props.title} stopped: {this.state.error.message}
        </Empty>
      </div>
    );
  }
}
