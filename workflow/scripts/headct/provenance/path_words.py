"""Words that files are called by, by which a path that names somebody is told from one that does not."""

from __future__ import annotations

FILES = """
abbildung abbildungen abdomen ablation abstract accuracy acknowledgements acquisition act adc adherence
adjusted admission adobe africa age agenda agreement aims aligned all alpha amendment america analysis
anatomy aneurysm anexo anhang annealing annexe annot annotation another anterior ants any anything aorta
apache app appdata appendix application approval apptainer aquilion archive area arm arms array arrays
arterial artificial asia assessment asset association assurance atlas attention attribution auc audio audit
auswertung author average averaging axial axis back background backup bak bar basal based baseline batch
befund befunde benchmark bericht beta bias bibliography bids big bilateral bilder bin blinded block blog bmp
body bold bone boolean bootstrap both bottom box boxplot brain brainstem branch brats brightness brilliance
bsd budget build bundle bval bvec byte bytes bz cache calculation calendar calibration canon capsule case
caudate center central centre cerebellar cerebellum cerebral cerebrum cfg changelog changes channel chapter
characteristic characteristics chart checked checklist checkpoint chest chrome circle circlet cistern ckpt
class classes classification clean clinical cluster code coefficient cohort college colon color column
combined commit common comparison complete computed conclusion conda conditions conf config configuration
confusion consent consort contact container contents contrast contributing control cookies copy coronal
corrected correction cortex cosine count course cover cpu creative cross crude css csv cta cuda current
curve custom cyan cyst dat data database dataset date daten dati datos day db dcm debian debug december
decision declaration deep default delta demo demographic demographics density department deposit depth
derived desktop detection dev development device diagnosis diagram dice dicom dictionary diff difference
diffusion dimension dir directive directory discharge discovery discussion disease disk distal distance
distribution dll doc docker document documentation docx domain donnees dose double download driver dropbox
drug dump dura dural dwi each early east echo edema effect egg either eligibility email encoder endian
enhanced enrollment enrolment ensemble entry epidural epsilon ergebnis ergebnisse err error estimated ethics
europe evaluation event every exam example exclusion exe exercise expansion expected experiment explicit
explorer export external extra extraction faculty failed failure falx feather feature february field figs
figura figure file filter final find firefox first fissure flair float flow flowchart fold folded folder
follow followup font forest form format foundation frame framework freesurfer frequency friday front frontal
frozen fsl fujifilm full fully funnel fusion gamma ganglia gate gaussian gegevens general gesamt getting gif
gii github gnu gold google gpl gpu gray grey ground group guide gyrus gz haematoma haemorrhage haemorrhagic
half harvard hash hausdorff hdf hdr head header heart heatmap held helical hello help helsinki hematoma
hemorrhage hemorrhagic hepatic hepatitis hidden hierarchical high hippocampus histogram history hitachi hold
home homework hospital hotfix htm html human hydrocephalus hyper hypotheses hypothesis ich ids ima image
imagenes imaging img implicit import include included inclusion index infarct infarction inferior info
information informe ingenuity ini initial inner input installation institute instruction instructions insula
integer intelligence inter interim internal international interval intra intracranial intraventricular
introduction inverse invoice ipynb ischaemic ischemic iteration iterative ivh january job journal jpeg jpg
js json july jupyter kernel key keys kidney kingdom known label lambda language large last lateral launch
law layer learning leave lecture ledger left legend lesion lesiones lesser letter level lgpl libraries
library licence license lightspeed limit line linear linked linux list little liver loader loading lobe
local lock locked log loss low lowdose lower lung machine macintosh magenta main makefile mamba manifest
manual manuscript map mapping march margin mask master matching matlab matrix matter max mean measure
measured medial median medical meeting mega memory meninges merge merged message meta metadata method metric
mgh mgz mha mhd microsoft middle midline min mini minutes mit mixed modality model module monai monday mono
mortality motion move mozilla mri multi multiple muscle music muster name names native nature ncct neither
nested network neural new next nifti nightly nii nnunet node nodes nodule nodules noise none nonlinear
normal normalised normalized note notice november npy npz nrrd nuclear null number nvidia obj object
observed occipital october office old omega online onnx onset open operating optimizer option orange order
organ orig original other out outcome outer output overlap overlay overview oxford pack package page paired
pallidum pancreas paper param parameter parenchymal parietal parquet part partial participants party patch
patches path patient pdf performance perfusion perihaematomal perihematomal phantom phase phe philips photos
pickle pictures pilot pink pipeline pixel pkl placebo plan plot ply png point policy pooled portal poster
posterior power ppt pptx precision pred predicted prediction preprocessed preprocessing presentation press
preview primary print prior privacy private probability procedure procedures process processed processing
profile program progress project properties prostate protection protocol provenance proximal pth public
publication purple putamen py python quality quarter query questionnaire random range rank ranked rapport
rate rater ratio raw reader reading readme recall receiver reconstruction record recovery recruitment red
reduced reference region registered registration regression regulation release released rendering report
reported repository request requirement research residual resolution resource response result resultado
resultaten resultats retrieve review revolution rib right risk risultati roc root row rtf run safety sample
sampling sans saturday scale scaling scan scatter scatterplot scheduling schema school scope score screen
screening screenshot script seal sealed search second secondary section security seed seg segment
segmentation selected selection self sensitivity september sequence sequential series serif server service
session set setting setup sex shape sharded share shared sharp sheet shift shop short siemens sigma signal
signed signing silver similarity simulated single singularity sinus site size skull slab slice slicer slide
slurm small smooth snakemake snapshot so society soft software somatom sorting source south space spacing
spatial specific specification specificity spine spleen split splitting sqlite stable stacking stage
standard standardised standardized start started starting stat state statement statistic statistical
statistics status step stl stopping storage store stratified string strings stripping stroke structure
studies study style subarachnoid subdural subject subset sulcus summary sunday superior supplement
supplemental supplementary support surface survival svg swi swin syllabus symptom syntax system tabel
tabella tabelle tabellen tabla table tableau tag tar target task tck team temp template temporal temporary
tensor tentorium term test testing text texture tgz thalamus theme therapy thesis theta thick thickness thin
third thorax threshold thumbnail thursday tif tiff time timeline timings tissue title tmp tmpdir toml tool
toolbox top torch toshiba total trace tracking tract train trained trainer training transfer transform
transformer treatment trial triple trk truth tsv ttf tube tuesday tumor tumour tuning tuple txt type ubuntu
uid unadjusted unenhanced unet unetr unilateral unit united university unweighted update upload upper user
utilities utility validation value vendor venous ventricle verify version vertebra vessel video view viewer
violin vision visit visits visual visualization vitamin voltage volume volumen vorlage vtk vtp warping
wednesday weight weighted white whl whole wiki window windowing wise woff word words work workflow working
worklist workspace world xls xlsx xml yaml yellow yml york zenodo zip zone
"""
"""Words of files, folders and software, small letters; an s of many is left out, and what ABSTRACT has."""

ABSTRACT = ("tion", "ized", "ised", "ivity", "ability", "ology", "metry", "graphy", "gram")
"""How words end for what is done and measured, and names do not."""

EPONYMS = """
adam adams albert altman anderson bablok barabasi bartlett bashforth bayes benjamini bera bernoulli
bessel bland boltzmann bonferroni breslow brier brodmann canny carlo chebyshev cholesky clopper cochran
cohen cook cox cramer darling delaunay delong dice diebold dirichlet dixon donald dunn dunnett durbin
euler evans fazekas fisher fleiss fourier frangi frobenius gabor gauss geary gibbs glasgow glorot graeb
gram greenwood grubbs gumbel haenszel hausdorff hermite hilbert hochberg hodges holm hosmer hotelling
hough hounsfield householder huang jaccard jarque jensen jordan kaiming kaplan kendall kolmogorov kramer
krippendorff kuiper kullback kutta lagrange laplace laurent legendre lehmann leibler lemeshow levene
lilliefors lin mahalanobis mann mantel mariano markov mathieu maxwell mcnemar meier minkowski monte
moran nesterov newton norman otsu pareto passing peano pearson poisson prewitt radon rankin rao ripley
risch roberts rubin runge sato schmidt sen shannon shapiro sidak simon smirnov sobel sorensen spearman
stefan stuart student talairach tanimoto taylor theil tukey tversky voronoi wasserstein watson weibull
welch whitney wilcoxon wilk xavier youden yule zipf
kruskal wallis forsythe aalen nemenyi conover jonckheere terpstra armitage fligner killeen nurminen
miettinen agresti coull newcombe wolfowitz geisser huynh feldt satterthwaite kenward dersimonian laird egger
begg hartung knapp yekutieli stouffer hommel scheffe scheffé keuls nelder mead levenberg marquardt broyden
shanno metropolis gelman geweke wishart savitzky golay kalman wiener epanechnikov nadaraya perona malik vese
mumford potts felzenszwalb dijkstra gini calinski harabasz bouldin fowlkes mallows akaike watanabe gwet
brennan prediger therneau grambsch schoenfeld harrell nagelkerke snell mauchly mises dickey breusch goldfeld
quandt charlson elixhauser barthel karnofsky likert hodgkin willis sylvius
"""
"""Methods and scales of the field are called by these people, of whom none is a patient."""

METHODS = """
wald_wolfowitz greenhouse_geisser friedman_nemenyi nelson_aalen yeo_johnson box_cox box_pierce box_jenkins
ljung_box brown_forsythe brown_mood siegel_tukey freeman_tukey games_howell newman_keuls student_newman
ryan_joiner fleming_harrington tarone_ware gehan_breslow hunt_hess fine_gray scott_knott kenward_roger
lee_carter rao_scott huber_white newey_west hall_wellner brookmeyer_crowley farrington_manning
wilson_score westfall_young paule_mandel sidik_jonkman peto_odds hodges_ajne robbins_monro polyak_ruppert
metropolis_hastings fletcher_reeves chan_vese lucas_kanade horn_schunck shi_tomasi harris_stephens
ford_fulkerson floyd_warshall bradley_terry luce_shephard barrow_neurological davies_bouldin davies_harte
dickey_fuller phillips_perron engle_granger hodrick_prescott durbin_watson durbin_levinson
ornstein_uhlenbeck brier_murphy murphy_winkler epps_singleton epps_pulley cramer_mises ansari_bradley
lawley_hotelling roy_root shepp_logan feldkamp_davis davis_kress ram_lak beer_lambert james_stein
gauss_newton lloyd_max ward_linkage crank_nicolson fugl_meyer glasgow_coma mini_mental clarke_error
parkes_error monro_kellie virchow_robin
"""
"""Methods that are called by two people who have frequent names, or by a word of both kinds."""

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

FAMILY_OF_TWO = "欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 夏侯 东方 東方 皇甫 尉迟 公孙 慕容 令狐 司徒 端木"
"""Family names of Chinese of two letters."""

FAMILY_KOREAN = (
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진나지엄채원천방공현"
    "함변염여추도소석선설마길연위표명기반"
)
"""Family names of Korea, a syllable each."""

INTRODUCING = """
patient patients patienten patientin patiënt pasient pacient paciente pacientes paziente pazienti potilas
hasta pat pt пациент пациентка ασθενής 患者 病人 환자 mr mrs ms miss mme mlle frau herr sra srta señor
señora sig signor signora dhr mevr hr befund arztbrief surname lastname familyname nachname nom apellido
cognome nazwisko фамилия
mej mevrouw fru familienaam achternaam
"""
"""Words of a path behind which a single word can be a name."""

OF_MANY = """
ed ing wise level based ics ness less able ity ment al ive ic ous ent ary ory ful ate ise ize
"""
"""How small words end that are no name behind the word for a patient (patient_characteristics)."""

PARTICLES = """
van von de der den ter ten het la le di da del della dos das do du al el bin ben abu ibn st san mac mc o
"""
"""Words before a family name."""

NOBODY = """
金标准 白质 方法 张量 任务 程序 周期 许可 常规 安装 高分辨 高斯 高清 曲线 江苏 黄斑
马尾 陈旧 孔径 向量 石蜡 万方 任意 白名单 于是 何时 余弦 严重 史料 江西 夏季 武汉
龙骨 方差 方案 方向 高级 高度 白天 江山 段落 叶片 이미지 조영제 정상군 정상인 신경과
기준값 영상물 전체군 유의성 대조군 연구자 안내서 성능표 정확도 민감도 자료집 石川県
千葉県 福島県 宮崎県 山口県 東京都 東京
"""
"""How words begin that begin as a family name does (gold standard, white matter, contrast medium)."""
