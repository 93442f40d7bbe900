// What iqueryd answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';

export function handlersOf(): Handlers {
  return {
    show: (params) => refuse(params.type),
    'reset-stats': ({ type }) => refuse(type),
  };
}

function refuse(type: string): never {
  throw new IpcError('refused', `iqueryd has no statistics of ${type}`);
}
