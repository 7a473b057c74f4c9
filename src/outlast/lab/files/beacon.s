# The beacon: a guest of one boot sector. Which question it answers: who runs on this disk, and is it alone?
#
# It needs no firmware services, only ports (COM1, the first ATA disk, the clock's interrupt), so that it
# boots the same way under SeaBIOS and under the lab's tiny firmware (firmware.s). Once a second it
#   1. reads the "last" sector. Not my boot id there? Somebody else writes to my disk: count it in the "clash" sector.
#   2. writes its own record into the "last" sector,
#   3. prints a line "NAME BOOT-ID BEAT" to COM1 (first line: beat 0, before the disk is touched).
# Between two beats it sleeps in hlt: only the clock's slowest periodic interrupt (2 Hz) is let through.
# Lab nodes share one kernel, and so one page cache: a write of one guest is seen by the next read of another.
#
# The disk, in sectors of 512 bytes (lab/beacon.py reads this layout):
#   0       this code; the VM's name at byte 472, ended by a zero
#   1       last:    "OUTL", boot id, beat, number of this boot, wall clock at boot (h m s, BCD), wall clock now
#   2       clash:   "CLSH", my boot id, the other's boot id, my beat, how often
#   64-127  journal: when boot number k begins, it copies what it found in "last" to sector 64 + k mod 64

        .intel_syntax noprefix
        .code16
        .text
        .set    LAST, 1
        .set    CLASH, 2
        .set    JOURNAL, 64
        .set    MINE, 0x7e00            # my record
        .set    SEEN, 0x8000            # what the disk says

start:  cli
        cld
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, 0x7c00
        jmp     0:0x7c00 + (begin - start)

begin:  mov     di, MINE                # an empty record; the sector after it too
        mov     cx, 512
        rep     stosw
        mov     dword ptr [MINE], 0x4c54554f    # "OUTL"
        lea     di, [MINE + 16]
        call    wall_clock
        rdtsc                           # the boot id: nanoseconds since power-on, stirred with the wall clock
        imul    eax, eax, 0x9e3779b1
        mov     edx, [MINE + 16]
        rol     edx, 20
        xor     eax, edx
        mov     [MINE + 4], eax
        call    say

# Only the clock's interrupt (IRQ 8, vector 0x70) wakes us.
        mov     word ptr [0x70 * 4], 0x7c00 + (tick - start)
        mov     word ptr [0x70 * 4 + 2], 0
        mov     si, 0x7c00 + (pic - start)
        mov     cx, (pic_end - pic) / 2
1:      lodsw                           # low byte: port, high byte: value
        movzx   dx, al
        mov     al, ah
        out     dx, al
        loop    1b
        mov     al, 0x0b                # clock register B: 24 hours, BCD, periodic interrupt
        out     0x70, al
        mov     al, 0x42
        out     0x71, al
        mov     al, 0x0a                # clock register A: slowest rate, 2 Hz
        out     0x70, al
        mov     al, 0x2f
        out     0x71, al

# Whoever ran before: into the journal with it, and count on from its boot number.
        mov     bx, LAST
        call    read
        mov     eax, [SEEN]
        cmp     eax, [MINE]
        jne     1f
        mov     eax, [SEEN + 12]
        inc     eax
        mov     [MINE + 12], eax
        mov     bx, ax
        and     bx, 63
        add     bx, JOURNAL
        mov     si, SEEN
        call    write
1:      jmp     record

beat:   call    sleep
        call    sleep
        inc     dword ptr [MINE + 8]
        mov     bx, LAST
        call    read
        mov     eax, [MINE + 4]
        mov     edx, [SEEN + 4]
        cmp     eax, edx
        je      1f
        push    eax
        push    edx
        mov     bx, CLASH
        call    read
        mov     dword ptr [SEEN], 0x48534c43    # "CLSH"
        pop     dword ptr [SEEN + 8]
        pop     dword ptr [SEEN + 4]
        mov     eax, [MINE + 8]
        mov     [SEEN + 12], eax
        inc     dword ptr [SEEN + 16]
        mov     si, SEEN
        call    write
1:      call    say
record: lea     di, [MINE + 20]
        call    wall_clock
        mov     bx, LAST
        mov     si, MINE
        call    write
        jmp     beat

sleep:  sti
        hlt
        cli
        mov     al, 0x0c                # reading register C lets the clock interrupt again
        out     0x70, al
        in      al, 0x71
        mov     al, 0x20                # both interrupt controllers: done
        out     0xa0, al
        out     0x20, al
        ret
tick:   and     word ptr [esp + 4], 0xfdff      # return with interrupts off: one tick wakes once
        iret

# di: where hours, minutes, seconds go (BCD)
wall_clock:
        mov     al, 4
1:      push    ax
        out     0x70, al
        in      al, 0x71
        stosb
        pop     ax
        sub     al, 2
        jns     1b
        ret

# bx: sector. ATA, polled.
read:   mov     ah, 0x20
        call    command
        mov     di, SEEN
        rep     insw
        ret
# bx: sector, si: from where
write:  mov     ah, 0x30
        call    command
        rep     outsw
        ret
command:
        mov     dx, 0x1f7               # a command that comes while the last write is under way would be dropped
1:      in      al, dx
        test    al, 0x88
        jnz     1b
        mov     dx, 0x1f2
        mov     al, 1                   # one sector
        out     dx, al
        inc     dx
        mov     al, bl                  # sector number, 28 bits; we need 8
        out     dx, al
        inc     dx
        xor     al, al
        out     dx, al
        inc     dx
        out     dx, al
        inc     dx
        mov     al, 0xe0
        out     dx, al
        inc     dx
        mov     al, ah
        out     dx, al
1:      in      al, dx                  # until: not busy, and ready to move data
        and     al, 0x88
        cmp     al, 0x08
        jne     1b
        mov     dx, 0x1f0
        mov     cx, 256
        ret

# "NAME BOOT-ID BEAT\n"
say:    mov     si, 0x7c00 + (name - start)
        mov     dx, 0x3f8
1:      lodsb
        test    al, al
        jz      2f
        out     dx, al
        jmp     1b
2:      mov     ebx, [MINE + 4]
        call    hex
        mov     ebx, [MINE + 8]
        call    hex
        mov     al, 10
        out     dx, al
        ret
hex:    mov     al, 32
        out     dx, al
        mov     cx, 8
1:      rol     ebx, 4
        mov     al, bl
        and     al, 15
        cmp     al, 10
        sbb     al, 0x69                # the old trick: 0-15 to "0"-"F"
        das
        out     dx, al
        loop    1b
        ret

pic:    .byte   0x20, 0x11, 0xa0, 0x11  # initialise both
        .byte   0x21, 0x08, 0xa1, 0x70  # vectors
        .byte   0x21, 0x04, 0xa1, 0x02  # cascade
        .byte   0x21, 0x01, 0xa1, 0x01
        .byte   0x21, 0xfb, 0xa1, 0xfe  # only the cascade and the clock
        .byte   0x43, 0x30, 0x40, 0x00, 0x40, 0x00      # the old timer: once, then never (it would wake QEMU at 36 Hz)
pic_end:

        .org    472
name:   .zero   38
        .org    510
        .byte   0x55, 0xaa
