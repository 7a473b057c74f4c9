# The tiny firmware: loads the first sector of the first ATA disk to 0x7c00 and jumps there. Nothing else.
#
# SeaBIOS spends a quarter of a second before the guest's first instruction, which would hide what a cluster
# adds to a failover. 64 KiB, mapped at F000:0000. QEMU's devices are ready as they are, but for one: the local
# APIC must let the old interrupt controllers through ("virtual wire"), else nothing ever wakes the guest.

        .intel_syntax noprefix
        .code16
        .text
start:  cli
        cld
        xor     ax, ax
        mov     es, ax

# The APIC's registers lie above what real mode reaches: borrow a 4 GiB segment from protected mode.
        lgdt    cs:[gdt_size - start]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     ds, bx
        and     al, 0xfe
        mov     cr0, eax
        mov     esi, 0xfee00000
        mov     dword ptr [esi + 0xf0], 0x1ff   # on
        mov     dword ptr [esi + 0x350], 0x700  # input 0: from the old controllers

        mov     dx, 0x1f2
        mov     al, 1
        out     dx, al                  # one sector,
        inc     dx
        xor     al, al
        out     dx, al                  # number 0,
        inc     dx
        out     dx, al
        inc     dx
        out     dx, al
        inc     dx
        mov     al, 0xe0
        out     dx, al                  # first drive, by LBA:
        inc     dx
        mov     al, 0x20
        out     dx, al                  # read
1:      in      al, dx
        and     al, 0x88
        cmp     al, 0x08                # not busy, data ready
        jne     1b
        mov     dx, 0x1f0
        mov     cx, 256
        mov     di, 0x7c00
        rep     insw
        jmp     0:0x7c00

        .balign 8
gdt:    .quad   0, 0x008f92000000ffff   # flat data, 4 GiB
gdt_size:
        .word   15
        .long   0xf0000 + (gdt - start)

        .org    0xfff0                  # where the processor begins
        jmp     0xf000:0
        .org    0x10000
