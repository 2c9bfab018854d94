package fan

// The instances make the compiler inline the functions that they call, see package broadcast.
var (
	_ = Map[int, int]
	_ = Seq[int, int]
	_ = ByKey[int, int, int]
	_ = ForEach[int]
	_ = In[int]
)
