metadata = tvm.ir.load_json("""{
  \"root_index\": 16,
  \"nodes\": [
    {
      \"type\": \"ffi.String\",
      \"data\": \"ir.GenericConst\"
    },
    {
      \"type\": \"ir.SourceName\",
      \"data\": \"script.py\"
    },
    {
      \"type\": \"ir.Span\",
      \"data\": {
        \"source_name\": 1,
        \"line\": 10,
        \"column\": 17,
        \"end_line\": 10,
        \"end_column\": 49
      }
    },
    {
      \"type\": \"None\"
    },
    {
      \"type\": \"ir.PrimType\",
      \"data\": {
        \"span\": 3,
        \"dtype\": \"int64\"
      }
    },
    {
      \"type\": \"int\",
      \"data\": 2
    },
    {
      \"type\": \"ir.IntImm\",
      \"data\": {
        \"span\": 3,
        \"ty\": 4,
        \"value\": 5
      }
    },
    {
      \"type\": \"ir.IntImm\",
      \"data\": {
        \"span\": 3,
        \"ty\": 4,
        \"value\": 5
      }
    },
    {
      \"type\": \"ffi.Array\",
      \"data\": [
        6,
        7
      ]
    },
    {
      \"type\": \"relax.ShapeType\",
      \"data\": {
        \"span\": 3,
        \"values\": 8,
        \"ndim\": 2
      }
    },
    {
      \"type\": \"relax.expr.ShapeExpr\",
      \"data\": {
        \"span\": 3,
        \"ty\": 9,
        \"values\": 8
      }
    },
    {
      \"type\": \"ir.PrimType\",
      \"data\": {
        \"span\": 3,
        \"dtype\": \"float32\"
      }
    },
    {
      \"type\": \"relax.TensorType\",
      \"data\": {
        \"span\": 3,
        \"shape\": 10,
        \"dtype\": 11,
        \"vdevice\": 3,
        \"ndim\": 2
      }
    },
    {
      \"type\": \"ffi.Tensor\",
      \"data\": \"P6G0lvBAXt0AAAAAAAAAAAEAAAAAAAAAAgAAAAIgAQACAAAAAAAAAAIAAAAAAAAAEAAAAAAAAAAAAIA\\/AAAAQAAAQEAAAIBA\"
    },
    {
      \"type\": \"ir.GenericConst\",
      \"data\": {
        \"span\": 2,
        \"ty\": 12,
        \"value\": 13
      }
    },
    {
      \"type\": \"ffi.Array\",
      \"data\": [
        14
      ]
    },
    {
      \"type\": \"ffi.Map\",
      \"data\": [
        0,
        15
      ]
    }
  ],
  \"metadata\": {
    \"tvm_version\": \"0.27.0.post1\"
  }
}""")
# from tvm.script import ir as I
# from tvm.script import relax as R

@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2, 2), dtype="float32")) -> R.Tensor((2, 2), dtype="float32"):
        with R.dataflow():
            k: R.Tensor((2, 2), dtype="float32") = metadata["ir.GenericConst"][0]
            o: R.Tensor((2, 2), dtype="float32") = R.multiply(x, k)
            R.output(o)
        return o
