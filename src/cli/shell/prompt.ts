// The prompt, as a BIG-IP shows it: who, where, how the device stands, folder and module.

export type PromptState = {
  readonly user: string;
  /** May be a full name: the first part is shown. */
  readonly host: string;
  /** Undefined: configd does not answer. */
  readonly device: { readonly sync: string; readonly failover: string } | undefined;
  readonly folder: string;
  /** Empty: none. */
  readonly module: string;
  /** Changes wait in a transaction. */
  readonly isBatch: boolean;
};

/** `root@(host)(cfg-sync Standalone)(Active)(/Common)(tmos)# ` */
export function promptText({ user, host, device, folder, module, isBatch }: PromptState): string {
  const { sync, failover } = device ?? { sync: 'Disconnected', failover: 'INOPERATIVE' };
  const path = ['tmos', ...module.split(' ')].filter((word) => word !== '').join('.');
  const batch = isBatch ? '[batch mode]' : '';
  return `${batch}${user}@(${host.split('.')[0]})(cfg-sync ${sync})(${failover})(${folder})(${path})# `;
}

/** Before the lines that a command goes on with. */
export const CONTINUATION_PROMPT = '... ';
