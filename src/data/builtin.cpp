// The data sets, one line a type.
#include "data/cifar10/cifar10.h"
#include "data/image_folder/image_folder.h"
#include "data/mnist/mnist.h"
#include "data/shapes/shapes.h"
#include "data/toy2d/toy2d.h"
#include "gen/data/dataset.h"

namespace gen {

const DatasetKind& datasets() {
  static const auto kind = [] {
    DatasetKind k("data");
    k.add<ShapesOptions>("shapes", make_shapes,
                         "captioned, labelled pictures of flat shapes, drawn on the spot");
    k.add<Toy2dOptions>("toy2d", make_toy2d,
                        "points of a density in the plane that is known exactly (Grathwohl et al. 2019)");
    k.add<MnistOptions>(
        "mnist", make_mnist,
        "handwritten digits, or any set in the same files: Fashion-MNIST, EMNIST (LeCun et al. 1998)");
    k.add<Cifar10Options>("cifar10", make_cifar10,
                          "32 x 32 photographs of ten classes, binary version (Krizhevsky 2009)");
    k.add<ImageFolderOptions>("image_folder", make_image_folder,
                              "PNG and JPEG files of a folder, labelled by sub-folder");
    return k;
  }();
  return kind;
}

}  // namespace gen
