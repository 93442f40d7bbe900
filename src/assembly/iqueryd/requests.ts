// What iqueryd answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { Iqueryd } from './iqueryd.ts';
import { IQUERY_TYPE } from './show-service.ts';

export function handlersOf({ features, shows }: Iqueryd): Handlers {
  const own: Handlers = {
    show: ({ type, names, cursor }) => (type === IQUERY_TYPE ? shows.show(names, cursor) : refuse(type)),
    'reset-stats': ({ type, names }) => (type === IQUERY_TYPE ? { objects: shows.reset(names) } : refuse(type)),
  };
  return Object.assign({}, ...features.map(({ handlers }) => handlers), own) as Handlers;
}

function refuse(type: string): never {
  throw new IpcError('refused', `iqueryd has no statistics of ${type}`);
}
