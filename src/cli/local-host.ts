// What a command that is not configd's alone (local-command.ts) needs of whoever runs it.

export type LocalCommandHost = {
  /**
   * Sends a command to configd, with text that it reads and the digest of what that was made from; resolves to its output.
   * Throws an IpcError.
   */
  send(command: string, input?: string, base?: string): Promise<string>;
  /** Prints output. */
  print(text: string): void;
  /** Prints what went wrong. */
  complain(text: string): void;
  /** The text that the person types, or that standard input holds, up to its end; undefined when it is given up. */
  readText(): Promise<string | undefined>;
  /** Asks the person; undefined where there is nobody to be asked. */
  ask?(question: string): Promise<string>;
};
