#!/bin/bash
# DOOM on the card: Debian's chocolate-doom with Freedoom's first episode, drawn with the CPU.
#   doom.sh [DRIVER [ARGUMENT OF THE GAME...]]
set -euo pipefail
driver=${1:-protopciem}
[ $# -eq 0 ] || shift
here=$(dirname "$(readlink -f "$0")")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/extra.cfg" <<-CONF
	fullscreen 1
	fullscreen_width 0
	fullscreen_height 0
	aspect_ratio_correct 1
	integer_scaling 0
	force_software_renderer 1
	smooth_pixel_scaling 0
	vga_porch_flash 0
	show_endoom 0
	startup_delay 0
	grabmouse 1
	novert 1
CONF
: >"$dir/doom.cfg"
export SDL_VIDEODRIVER=x11 SDL_RENDER_DRIVER=software SDL_FRAMEBUFFER_ACCELERATION=0 SDL_AUDIODRIVER=dummy
"$here/x.sh" --mode 640x480 "$driver" /usr/games/chocolate-doom -iwad /usr/share/games/doom/freedoom1.wad \
	-nosound -config "$dir/doom.cfg" -extraconfig "$dir/extra.cfg" "$@"
