// What healthd answers on its socket.

import { IpcError } from '../../ipc/ipc-error.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import { ExplainService } from './explain-service.ts';
import type { Healthd } from './healthd.ts';
import { HealthShowService } from './show-service.ts';

export function handlersOf(healthd: Healthd): Handlers {
  const shows = new HealthShowService(healthd);
  const explanations = new ExplainService(healthd);
  return {
    show: (params) => shows.show(params) ?? refuse(params.type),
    'reset-stats': ({ type, names }) => ({ objects: shows.reset(type, names) ?? refuse(type) }),
    'health-reports': (_params, { signal }) => healthd.publisher.subscribe(signal),
    'local-states': (_params, { signal }) => healthd.localStates.publisher.subscribe(signal),
    'explain-health': (params) => explanations.explain(params),
    'list-watches': (params) => explanations.list(params),
    'resume-health': (params) => explanations.resume(params),
  };
}

function refuse(type: string): never {
  throw new IpcError('refused', `healthd has no statistics of ${type}`);
}
