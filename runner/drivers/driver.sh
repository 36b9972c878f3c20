# Runs code in this shell, so that variables, functions and the directory stay between runs.
# Requests on descriptor 3: the path of a file with code, one a line. Events on 4: one JSON object a line.
# `command` keeps a syntax error from ending the shell; `return` in the trap leaves the sourced file and nothing else.
# Its status can get lost in a loop (busybox ash), so the trap also leaves a note.
trap : INT
printf '{"event":"ready"}\n' >&4
while IFS= read -r __krunner_file <&3; do
  __krunner_interrupted=
  trap '__krunner_interrupted=yes; return 130' INT
  command . "$__krunner_file" 3<&- 4>&-
  __krunner_status=$?
  trap : INT
  case $__krunner_interrupted in yes) __krunner_status=130 ;; esac
  printf '{"event":"done","code":%d}\n' "$__krunner_status" >&4
done
