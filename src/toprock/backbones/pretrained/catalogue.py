"""Checkpoints that can be had by name: where from, at which revision, under which licence."""

from __future__ import annotations

from dataclasses import dataclass

from toprock.backbones.base import BackboneSpec


@dataclass(frozen=True, kw_only=True)
class Known(BackboneSpec):
    """A public checkpoint; its `source` is its repository on the Hugging Face hub.

    Attributes:
        revision: the commit that is fetched; None where only a folder can be brought.
        sha256: of model.safetensors, checked after fetching, where it is known.
        files: what is fetched beside the weights.
        gated: whether its authors ask for an account and consent.
    """

    revision: str | None
    sha256: str = ""
    files: tuple[str, ...] = ("config.json", "preprocessor_config.json")
    gated: bool = False


_KNOWN = (
    Known(
        name="videomae-small",
        stream="dynamic",
        dimension=384,
        description="VideoMAE, ViT-S, tuned on Kinetics-400: 16 frames of 224 px",
        licence="CC-BY-NC-4.0",
        size_mb=88,
        source="MCG-NJU/videomae-small-finetuned-kinetics",
        revision="240e9734611173accbbf74cbdf4b641e4c431264",
    ),
    Known(
        name="videomae-base",
        stream="dynamic",
        dimension=768,
        description="VideoMAE, ViT-B, tuned on Kinetics-400: 16 frames of 224 px",
        licence="CC-BY-NC-4.0",
        size_mb=346,
        source="MCG-NJU/videomae-base-finetuned-kinetics",
        revision="488eb9a0565f257b32866000305c8178965eb9f6",
        sha256="065cfde56f97671da4d196e1a3a6d3cf9304dcad92eb671e3632a6c6cdd04f73",
    ),
    Known(
        name="vjepa2-large",
        stream="dynamic",
        dimension=1024,
        description="V-JEPA 2, ViT-L, self-supervised: 16 frames of 256 px",
        licence="MIT",
        size_mb=1304,
        source="facebook/vjepa2-vitl-fpc64-256",
        revision="b3c1679b7c34d3255ef3547f27c7b226aefab26f",
        sha256="25466aef85727d16546c6cf8c99f12fcfad9cbca8225d45f23685e2e025b786b",
        files=("config.json", "video_preprocessor_config.json"),
    ),
    Known(
        name="timesformer-base",
        stream="dynamic",
        dimension=768,
        description="TimeSformer, ViT-B, tuned on Kinetics-400: 8 frames of 224 px",
        licence="CC-BY-NC-4.0",
        size_mb=486,
        source="facebook/timesformer-base-finetuned-k400",
        revision="f300f6ac53f51b74e7f691877142ac426ce800ad",
    ),
    Known(
        name="vivit-base",
        stream="dynamic",
        dimension=768,
        description="ViViT, ViT-B, tuned on Kinetics-400: 32 frames of 224 px",
        licence="MIT",
        size_mb=356,
        source="google/vivit-b-16x2-kinetics400",
        revision=None,  # its main branch holds the weights as a pickle only
    ),
    Known(
        name="dinov2-small",
        stream="static",
        dimension=384,
        description="DINOv2, ViT-S, self-supervised: 224 px",
        licence="Apache-2.0",
        size_mb=88,
        source="facebook/dinov2-small",
        revision="ed25f3a31f01632728cabb09d1542f84ab7b0056",
        sha256="ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1",
    ),
    Known(
        name="dinov2-base",
        stream="static",
        dimension=768,
        description="DINOv2, ViT-B, self-supervised: 224 px",
        licence="Apache-2.0",
        size_mb=346,
        source="facebook/dinov2-base",
        revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        sha256="d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
    ),
    Known(
        name="dinov3-small",
        stream="static",
        dimension=384,
        description="DINOv3, ViT-S, self-supervised: 224 px",
        licence="DINOv3 licence",
        size_mb=86,
        source="facebook/dinov3-vits16-pretrain-lvd1689m",
        revision="114c1379950215c8b35dfcd4e90a5c251dde0d32",
        sha256="4610ad75edef83e75afdebf162d148dc628045ea6cbb83d67d4708c709c4f91d",
        gated=True,
    ),
    Known(
        name="dinov3-base",
        stream="static",
        dimension=768,
        description="DINOv3, ViT-B, self-supervised: 224 px",
        licence="DINOv3 licence",
        size_mb=343,
        source="facebook/dinov3-vitb16-pretrain-lvd1689m",
        revision="5931719e67bbdb9737e363e781fb0c67687896bc",
        sha256="9a21ac3df0c63839d62612dda6f454d816c25611cc7a52966ed5a5a94921dc8b",
        gated=True,
    ),
    Known(
        name="clip-base",
        stream="static",
        dimension=768,
        description="CLIP, ViT-B/32, its image side: 224 px",
        licence="MIT (code; none stated for the weights)",
        size_mb=605,
        source="openai/clip-vit-base-patch32",
        revision="b33cedfd0df4e43b8238760678fcc89e1a0d38b3",
        sha256="99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d",
    ),
    Known(
        name="siglip-base",
        stream="static",
        dimension=768,
        description="SigLIP, ViT-B/16, its image side: 224 px",
        licence="Apache-2.0",
        size_mb=813,
        source="google/siglip-base-patch16-224",
        revision="7fd15f0689c79d79e38b1c2e2e2370a7bf2761ed",
        sha256="2c63cb7d1f2e95ba501893cbb8faeb4ea9a3af295498d35097126228659c2af8",
    ),
    Known(
        name="resnet-50",
        stream="static",
        dimension=2048,
        description="ResNet-50, ImageNet: 224 px",
        licence="Apache-2.0",
        size_mb=102,
        source="microsoft/resnet-50",
        revision="34c2154c194f829b11125337b98c8f5f9965ff19",
    ),
    Known(
        name="mobilenetv2",
        stream="static",
        dimension=1280,
        description="MobileNetV2 1.0, ImageNet: 224 px",
        licence="other (see its page)",
        size_mb=14,
        source="google/mobilenet_v2_1.0_224",
        revision="5e58f27900895c96ce19c9acf60d0f30220c3424",
    ),
)

CATALOGUE: dict[str, Known] = {known.name: known for known in _KNOWN}
"""By registry name. Revisions are commits of the hub, as public projects pin them."""
