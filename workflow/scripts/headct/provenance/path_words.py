"""Words that files are called by, by which a path that names somebody is told from one that does not."""

from __future__ import annotations

FILES = """
abbildung abbildungen abdomen ablation abstract acknowledgements acquisition adc adobe africa agenda
agreement aims aligned all amendment america analysis anatomy anexo anhang annealing annexe annotation
ants aorta apache app appdata appendix application approval aquilion archive area arterial asia
assessment asset atlas attention audio audit auswertung author average averaging axial axis back
background backup bar baseline batch befund befunde benchmark bericht bias bibliography bids bilder bin
blinded block blog body bold bone bootstrap bottom box brain brats brightness brilliance budget build
bundle cache calculation calendar calibration canon case center centre cerebellum changelog changes
channel chapter chart checked checklist checkpoint chest chrome circle circlet class classes
classification clean clinical cluster code coefficient cohort colon color column combined comparison
complete computed conclusion conda conditions config configuration confusion consent consort contact
contents contrast contributing control cookies copy coronal corrected correction cortex cosine course
cross cta cuda curve custom cyst data database dataset date daten dati datos day debian debug decision
deep default demo density deposit depth derived desktop detection development device diagram dice dicom
diff difference diffusion dimension dir directory discovery discussion distance distribution docker
document documentation domain donnees double download dropbox dural dwi early edema effect email encoder
ensemble entry ergebnis ergebnisse error estimated ethics europe evaluation event exam example exe
exercise expansion expected experiment explorer export external extra extraction failed failure feature
field figura figure file filter final firefox first flair flow flowchart fold folder follow font forest
form format frame framework freesurfer frequency front frontal frozen fsl fujifilm full fully funnel
fusion gate gaussian gegevens general gesamt getting github google gray grey ground group guide
haematoma haemorrhage harvard hausdorff head header heart heatmap help hematoma hemorrhage hepatic
hidden hierarchical high hippocampus histogram history hitachi home homework human hyper hypotheses
hypothesis ich image imagenes imaging import include included index info information informe ingenuity
initial inner input installation instructions inter interim internal interval intra intracranial
introduction inverse invoice iteration ivh job journal jupyter kernel kidney known label large lateral
launch layer learning lecture ledger left legend lesion lesiones lesser letter level libraries library
licence license lightspeed limit line linear linked linux list liver loading lobe local locked log loss
low lower lung machine macintosh main makefile manifest manual manuscript map mapping margin mask master
matching matlab matrix matter max mean measure measured median medical meeting mega memory merged
message meta metadata method metric microsoft middle midline min mini minutes mixed model module monai
mono motion mri multi multiple muscle music nature ncct nested network neural new nifti nnunet noise
nonlinear normal note notice nrrd nuclear null number nvidia object observed occipital office online
open operating optimizer option order organ original other outcome outer output overlap overlay overview
oxford pack package page paired pancreas paper param parameter parietal partial participants party patch
patches path patient performance perfusion perihematomal phantom phase phe philips photos pictures pilot
pipeline pixel plan plot point policy pooled portal poster power precision pred predicted prediction
preprocessed preprocessing presentation press preview primary print prior privacy private probability
process processed processing profile program progress project properties prostate protocol provenance
public publication python quality random range rank ranked rapport rate rater ratio raw reader reading
readme receiver record recovery reference region registered registration regression release released
rendering report reported repository request requirement research residual resolution resource response
result resultado resultaten resultats review revolution rib right risk risultati root row run sample
sampling sans scale scaling scan scatter scheduling schema scope score screen screenshot script seal
sealed search secondary section security seed segment segmentation selected selection self sensitivity
sequence series serif server session set setting setup shape sharded share shared sheet shift shop short
siemens signal signed signing similarity simulated single sinus site size skull slice slicer slide slurm
small smooth snakemake snapshot soft software somatom sorting source space spacing spatial specification
spine split splitting stable stacking stage standard start started starting state statistical statistics
status step stopping stripping stroke structure studies study style subject subset summary supplement
supplemental supplementary support surface survival swi swin syllabus system tabel tabella tabelle
tabellen tabla table tableau target task team temp template temporal temporary tensor term test testing
text texture thalamus theme thesis thickness third threshold thumbnail time timeline timings tissue
title tmpdir tool toolbox top torch toshiba total trace tracking tract train trained trainer training
transfer transform transformer trial triple truth tumor tumour tuning type ubuntu unet unetr unit update
upload upper user utilities utility validation value vendor venous ventricle verify version vertebra
vessel video view viewer violin visual visualization volume volumen warping weight weighted white wiki
window windowing wise work workflow working workspace world york zenodo zone
"""
"""Words of files, folders and software, small letters; an s of many is left out, and what ABSTRACT has."""

ABSTRACT = ("tion", "ized", "ised", "ivity", "ability", "ology", "metry", "graphy", "gram")
"""How words end for what is done and measured, and names do not."""

EPONYMS = """
adam altman bayes benjamini bland bonferroni brier brodmann carlo clopper cohen cox dice fazekas fisher
fleiss fourier gauss gibbs glasgow graeb greenwood gumbel hausdorff hochberg holm hosmer hounsfield
jaccard kaplan kendall kolmogorov laplace lemeshow mann markov meier monte nesterov newton otsu pearson
rankin shapiro smirnov sorensen spearman student talairach weibull welch whitney wilcoxon wilk youden
"""
"""Methods and scales of the field are called by these people, of whom none is a patient."""

FAMILY_HAN = (
    "王李张劉刘陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾肖田董"
    "袁潘于蒋蔣蔡余杜叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鍾谭譚陆陸汪范金石廖贾賈夏韦韋付方白邹鄒孟熊秦邱江"
    "尹薛闫阎段雷侯龙龍史陶黎贺賀顾顧毛郝龚龔邵万萬钱錢严嚴覃武戴莫孔向汤湯張"
)
"""The most frequent family names of Chinese, simplified and not, a letter each."""

FAMILY_JAPANESE = """
佐藤 鈴木 高橋 田中 伊藤 渡辺 渡邊 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本
井上 木村 斎藤 齋藤 斉藤 清水 山崎 阿部 池田 橋本 山下 石川 中島 前田 藤田 後藤 小川
岡田 長谷川 村上 近藤 石井 坂本 遠藤 青木 藤井 西村 福田 太田 三浦 藤原 岡本 松田
中川 中野 原田 小野 田村 竹内 金子 和田 中山 石田 上田 森田 柴田 酒井 宮崎 横山 高木
安藤 宮本 大野 小島 谷口 今井 工藤 高田 増田 丸山 杉山 村田 大塚 新井 小山 平野 藤本
河野 上野 野口 武田 松井 千葉 菅原 岩崎 木下 久保 佐野 野村 松尾 市川 菊地 菊池 杉本
古川 大西 島田 水野 桜井 高野 渡部 吉川 山内 西田 飯田 西川 小松 北村 安田 五十嵐
川口 平田 関口 中田 久保田 服部 東 岩田 土屋 川崎 福島
"""
"""The most frequent family names of Japan."""

FAMILY_KOREAN = (
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진나지엄채원천방공현"
    "함변염여추도소석선설마길연위표명기반"
)
"""Family names of Korea, a syllable each."""

NOBODY = """
金标准 白质 方法 张量 任务 程序 周期 许可 常规 安装 高分辨 高斯 高清 曲线 江苏 黄斑
马尾 陈旧 孔径 向量 石蜡 万方 任意 白名单 于是 何时 余弦 严重 史料 江西 夏季 武汉
龙骨 方差 方案 方向 高级 高度 白天 江山 段落 叶片 이미지 조영제 정상군 정상인 신경과
기준값 영상물 전체군 유의성 대조군 연구자 안내서 성능표 정확도 민감도 자료집 石川県
千葉県 福島県 宮崎県 山口県 東京都 東京
"""
"""How words begin that begin as a family name does (gold standard, white matter, contrast medium)."""
