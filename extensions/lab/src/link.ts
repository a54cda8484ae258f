/** The comm between one output and the kernel of its notebook. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import type { AnyIntent, Message } from '@workbench/view';

const TARGET = 'workbench';

export interface Ends {
  readonly connected: () => void;
  readonly disconnected: (reason: string) => void;
  readonly received: (message: Message) => void;
  readonly busy: (busy: boolean) => void;
}

/** Opens a comm, again whenever the notebook gets another kernel. */
export class Link {
  private comm: Kernel.IComm | null = null;
  private disposed = false;

  constructor(
    private readonly context: ISessionContext,
    private readonly ends: Ends,
  ) {}

  /** Opens the first comm; the ends may be called from here on. */
  start(): void {
    this.context.kernelChanged.connect(this.onKernel);
    this.context.statusChanged.connect(this.onStatus);
    this.open();
  }

  send(intent: AnyIntent): void {
    const comm = this.comm;
    if (comm === null || comm.isDisposed) {
      return;
    }
    const data = JSON.parse(JSON.stringify(intent)) as JSONObject;
    if (intent.type === 'open') {
      comm.open(data);
    } else {
      comm.send(data);
    }
  }

  dispose(): void {
    this.disposed = true;
    this.context.kernelChanged.disconnect(this.onKernel);
    this.context.statusChanged.disconnect(this.onStatus);
    this.close();
  }

  private close(): void {
    const comm = this.comm;
    this.comm = null;
    if (comm !== null && !comm.isDisposed && this.context.session?.kernel?.isDisposed === false) {
      try {
        comm.close();
      } catch {
        // The kernel is gone, and its end of the comm with it.
      }
    }
  }

  private open(): void {
    const kernel = this.context.session?.kernel ?? null;
    if (this.disposed || kernel === null || !kernel.handleComms) {
      return;
    }
    const comm = kernel.createComm(TARGET);
    this.comm = comm;
    comm.onMsg = (message: KernelMessage.ICommMsgMsg): void => {
      if (this.comm === comm) {
        this.ends.received(message.content.data as unknown as Message);
      }
    };
    comm.onClose = (): void => {
      if (this.comm === comm) {
        this.comm = null;
        this.ends.disconnected('');
      }
    };
    // The view answers with its first intent, which opens the comm.
    this.ends.connected();
    this.onStatus();
  }

  private readonly onKernel = (): void => {
    this.comm = null;
    if (this.context.session?.kernel === null || this.context.session?.kernel === undefined) {
      this.ends.disconnected('no kernel');
      return;
    }
    this.open();
  };

  private readonly onStatus = (): void => {
    const status = this.context.session?.kernel?.status;
    if (status === 'restarting' || status === 'autorestarting') {
      this.comm = null;
      this.ends.disconnected('the kernel was restarted');
    } else if (status === 'dead' || status === 'terminating') {
      this.comm = null;
      this.ends.disconnected('the kernel is gone');
    }
    this.ends.busy(status === 'busy');
  };
}
