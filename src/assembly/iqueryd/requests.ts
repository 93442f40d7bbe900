// What iqueryd answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { Iqueryd } from './iqueryd.ts';

export function handlersOf({ features }: Iqueryd): Handlers {
  const own: Handlers = {
    show: (params) => refuse(params.type),
    'reset-stats': ({ type }) => refuse(type),
  };
  return Object.assign({}, ...features.map(({ handlers }) => handlers), own) as Handlers;
}

function refuse(type: string): never {
  throw new IpcError('refused', `iqueryd has no statistics of ${type}`);
}
