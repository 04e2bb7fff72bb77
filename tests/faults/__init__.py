"""The fault tier (`make test-faults`): processes are killed, disks fill up, files rot, clocks jump, at random moments.

A *journey* is one results folder and a command that is issued until it ends well, disturbed by *injections* on the way. In the
end its store is compared with one that nothing disturbed: nothing lost, nothing doubled, nothing different, nothing left over.
"""
