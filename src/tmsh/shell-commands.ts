// What can be typed at the prompt besides the verbs: the shell itself does it.

export const SHELL_COMMANDS = [
  { name: 'exit', help: 'Leave the module, or the shell where there is none.' },
  { name: 'quit', help: 'Leave the shell.' },
] as const;
