# Runs code in this shell, so that variables, functions and the directory stay between runs.
# Requests on descriptor 3: the path of a file with code, one a line. Events on 4: one JSON object a line.
# `command` keeps a syntax error from ending the shell; `return` in the trap leaves the sourced file and nothing else.
trap 'return 130' INT
printf '{"event":"ready"}\n' >&4
while IFS= read -r __krunner_file <&3; do
  command . "$__krunner_file" 3<&- 4>&-
  printf '{"event":"done","code":%d}\n' "$?" >&4
  trap 'return 130' INT
done
