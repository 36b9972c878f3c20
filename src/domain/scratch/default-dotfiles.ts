import type { ScratchFile } from './scratch-layout.js';

const BASHRC = `# Made by the agent when this kernel was created; yours to change.
export PS1='\\u@\${BACKENDAI_CLUSTER_HOST:-kernel}[\${BACKENDAI_SESSION_NAME:-session}]:\\w\\$ '
alias ls='ls --color=auto 2>/dev/null || ls'
export HISTFILE="$HOME/.bash_history" HISTCONTROL=ignoreboth
`;

const BASH_PROFILE = `[ -f "$HOME/.bashrc" ] && . "$HOME/.bashrc"
`;

const ZSHRC = `# Made by the agent when this kernel was created; yours to change.
PROMPT='%n@\${BACKENDAI_CLUSTER_HOST:-kernel}[\${BACKENDAI_SESSION_NAME:-session}]:%~%# '
setopt prompt_subst
`;

const VIMRC = `syntax on
set expandtab tabstop=4 shiftwidth=4 hlsearch ruler
`;

const TMUX_CONF = `set -g default-terminal "screen-256color"
set -g history-limit 10000
`;

const NOTE = `# This directory is temporary

Everything here is deleted together with the session, except for the folders that you mounted into it.
Keep what you need in a mounted folder.
`;

/** The files of a fresh home directory (lifecycle.md §3.1). */
export const DEFAULT_FILES: readonly ScratchFile[] = Object.entries({
  '.bashrc': BASHRC,
  '.bash_profile': BASH_PROFILE,
  '.zshrc': ZSHRC,
  '.vimrc': VIMRC,
  '.tmux.conf': TMUX_CONF,
  'DO_NOT_STORE_PERSISTENT_FILES_HERE.md': NOTE,
}).map(([name, data]) => ({ path: `work/${name}`, data, mode: 0o644, owned: true, onlyIfAbsent: true }));
