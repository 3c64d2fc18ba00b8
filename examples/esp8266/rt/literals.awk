# LLVM prints a function's literals before it switches to the function's own section, where GNU as would assemble them into the section
# before: they are held back and printed right after that switch. Unwind tables are of no use on a chip.
/^[ \t]*\.cfi_/ { next }
/^[ \t]*\.literal_position/ || /^[ \t]*\.literal[ \t]/ { held = held $0 "\n"; next }
/^[ \t]*\.section[ \t]+\.text/ || /^[ \t]*\.text[ \t]*$/ {
    print
    if (held != "") printf "\t.p2align 2\n%s", held
    held = ""
    next
}
{ print }
END {
    if (held == "") exit
    print "literals without a section" > "/dev/stderr"
    exit 1
}
