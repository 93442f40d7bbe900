// What healthd answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { Healthd } from './healthd.ts';

export function handlersOf(_healthd: Healthd): Handlers {
  return {
    show: ({ type }) => refuse(type),
    'reset-stats': ({ type }) => refuse(type),
  };
}

function refuse(type: string): never {
  throw new IpcError('refused', `healthd has no statistics of ${type}`);
}
