// Where the sockets of listeners come from: this namespace, or the supervisor for those of other route domains.

import { statSync } from 'node:fs';
import { errorText } from '../../core/errors.ts';
import type { Method, ParamsOf, ResultOf } from '../../ipc/schema.ts';
import type { Addon, LoadedAddon } from '../../native/addon.ts';
import { namespaceFile, openServerSocket, type ServerAddress, SocketInbox } from '../../net/server-socket.ts';

export type SocketPlace = {
  readonly address: string;
  readonly port: number;
  readonly isStream: boolean;
  readonly isShared: boolean;
  readonly routeDomain: number;
};

/** A bound socket; `namespace`: the file and the number of the network namespace that it is in, if that is another one. */
export type OpenedSocket = {
  readonly descriptor: number;
  readonly namespace?: { readonly file: string; readonly inode: number };
};

/** A packet socket, and the device that it is for. */
export type OpenedPacketSocket = { readonly descriptor: number; readonly namespace: string; readonly device: string };

/** The supervisor, as far as it opens sockets; each resolves to undefined when there is none. */
export type SocketOpener = {
  readonly server: Ask<'open-server-socket'>;
  readonly packet: Ask<'open-packet-socket'>;
};
type Ask<M extends Method> = (params: ParamsOf<M>) => Promise<ResultOf<M> | undefined>;

export class SocketSource {
  readonly #addon: Addon | undefined;
  /** Why there is no addon. */
  readonly #reason: string = '';
  readonly #inbox: SocketInbox | undefined;
  readonly #ask: SocketOpener;
  /** One request at a time: what comes by the inbox is for it. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `inbox`: the path at which sockets of the supervisor come. Throws an Error of the operating system. */
  constructor(loaded: LoadedAddon, inbox: string, ask: SocketOpener) {
    this.#addon = loaded.addon;
    this.#ask = ask;
    if (loaded.addon === undefined) this.#reason = loaded.reason;
    else this.#inbox = new SocketInbox(loaded.addon, inbox);
  }

  close(): void {
    this.#inbox?.close();
  }

  /** Rejects with the reason why there is no such socket, which may be there later. */
  open({ routeDomain, ...where }: SocketPlace): Promise<OpenedSocket> {
    const [addon, inbox] = [this.#addon, this.#inbox];
    if (addon === undefined || inbox === undefined) return Promise.reject(new Error(this.#reason));
    const opened = this.#turn.then(() =>
      routeDomain === 0 ? openHere(addon, where) : this.#openElsewhere({ routeDomain, ...where }, inbox),
    );
    this.#turn = opened.catch(() => undefined);
    return opened;
  }

  /** A packet socket in the namespace of a route domain. Rejects with the reason why there is none. */
  openPacketSocket(routeDomain: number, address: string): Promise<OpenedPacketSocket> {
    const inbox = this.#inbox;
    if (inbox === undefined) return Promise.reject(new Error(this.#reason));
    const opened = this.#turn.then(async () => {
      const tag = inbox.tag();
      const answer = await this.#ask.packet({ routeDomain, address, tag });
      if (answer === undefined) throw noSupervisor(routeDomain);
      return { descriptor: takeFrom(inbox, tag), ...answer };
    });
    this.#turn = opened.catch(() => undefined);
    return opened;
  }

  async #openElsewhere(place: SocketPlace, inbox: SocketInbox): Promise<OpenedSocket> {
    const tag = inbox.tag();
    const answer = await this.#ask.server({ ...place, tag });
    if (answer === undefined) throw noSupervisor(place.routeDomain);
    const descriptor = takeFrom(inbox, tag);
    const file = namespaceFile(answer.namespace);
    return { descriptor, namespace: { file, inode: inodeOf(file) } };
  }
}

function openHere(addon: Addon, where: ServerAddress): OpenedSocket {
  try {
    return { descriptor: openServerSocket(addon, where) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      const who = `ss -lnp${where.isStream ? 't' : 'u'} says which`;
      throw new Error(`another program has ${where.address} port ${where.port}: ${who}`, { cause: error });
    }
    if (code !== 'EACCES') throw error;
    const hint = 'start as root, or choose a port from 1024 on';
    throw new Error(`${errorText(error)}; ports below 1024 need CAP_NET_BIND_SERVICE: ${hint}`, { cause: error });
  }
}

/** The descriptor that has come. Throws when none has. */
function takeFrom(inbox: SocketInbox, tag: number): number {
  const descriptor = inbox.take(tag);
  if (descriptor === undefined) throw new Error('the socket that the supervisor has sent did not come');
  return descriptor;
}

const noSupervisor = (routeDomain: number): Error =>
  new Error(`only "wideplane up" can open a socket in route domain ${routeDomain}, and none runs`);

/** Whether the namespace of a socket is still the one of its name. */
export function isCurrent({ namespace }: OpenedSocket): boolean {
  return namespace === undefined || inodeOf(namespace.file) === namespace.inode;
}

/** 0 for a file that is not there. */
function inodeOf(file: string): number {
  try {
    return statSync(file).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw new Error(`${file}: ${errorText(error)}`, { cause: error });
  }
}
